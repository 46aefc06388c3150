import dataclasses
import pickle
from pathlib import Path

import pytest
import torch

from nas.training.data import Shifts, augmentation, describe

SIZE = (48, 40)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 20, channels: int = 1) -> torch.Tensor:
    return torch.randint(0, 256, (count, channels, *SIZE), dtype=torch.uint8, generator=seeded(7))


def described(content: str) -> Shifts:
    chosen = augmentation(dataclasses.replace(describe("digits"), kind="npz", content=content), SIZE)
    assert isinstance(chosen, Shifts)
    return chosen


@pytest.mark.parametrize("content", ["sounds", "spectrograms", "unstated"])
def test_the_generator_decides_alone(content: str) -> None:
    vary, images = described(content), noise()
    before, state = images.clone(), torch.get_rng_state()
    generator = seeded(3)
    first = vary(images, generator)
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert (first.shape, first.dtype) == (images.shape, torch.uint8)
    assert not torch.equal(vary(images, generator), first)
    assert torch.equal(pickle.loads(pickle.dumps(vary))(images, seeded(3)), first)
    assert vary(images[:0], seeded(0)).shape == (0, 1, *SIZE)
    assert vary.flips is False


def test_a_spectrogram_moves_in_time_and_keeps_its_pitch() -> None:
    image = torch.zeros((400, 1, *SIZE), dtype=torch.uint8)
    image[:, :, 20:22, 10:12] = 255
    varied = Shifts(SIZE, spectrograms=True)(image, seeded(0))
    bright = (varied == 255).nonzero()
    assert set(bright[:, 3].tolist()) == {10, 11}
    assert set(bright[:, 2].tolist()) == set(range(15, 27))  # a tenth of 48: five frames to each side


def test_masks_hide_at_most_an_eighth_of_each_axis() -> None:
    row = torch.arange(48, dtype=torch.uint8)[:, None].expand(200, 1, *SIZE) * 2
    varied = Shifts(SIZE, spectrograms=True)(row, seeded(1))
    mean = varied == 47
    hidden_rows = mean.all(dim=3)[:, 0].sum(dim=1)
    hidden_columns = mean.all(dim=2)[:, 0].sum(dim=1)
    assert (int(hidden_rows.min()), int(hidden_rows.max())) == (0, 6)
    assert (int(hidden_columns.min()), int(hidden_columns.max())) == (0, 5)


def test_what_moves_in_repeats_the_edge() -> None:
    flat = torch.full((50, 1, *SIZE), 9, dtype=torch.uint8)
    for content in ("sounds", "unstated"):
        assert torch.unique(described(content)(flat, seeded(0))).tolist() == [9]


def test_arrays_of_which_nothing_is_said_move_both_ways_and_are_not_hidden() -> None:
    image = torch.zeros((400, 1, *SIZE), dtype=torch.uint8)
    image[:, :, 20:22, 20:22] = 255
    bright = (Shifts(SIZE, spectrograms=False)(image, seeded(0)) == 255).nonzero()
    assert len(bright) == 400 * 4
    assert set(bright[:, 2].tolist()) == set(range(15, 27))
    assert set(bright[:, 3].tolist()) == set(range(16, 26))


def test_spoken_digits_are_varied_as_spectrograms(fitnas_data: Path) -> None:
    chosen = augmentation(describe(fitnas_data / "audio" / "fsdd_logmel.npz"), SIZE)
    assert isinstance(chosen, Shifts)
    assert chosen.spectrograms
