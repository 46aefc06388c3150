import dataclasses
import pickle
from pathlib import Path

import pytest
import torch

from nas.training.data import DataDescription, augmentation, describe
from search_spaces.core.input_facts import InputFacts

DIGITS = describe("digits")


def photos(*class_names: str, channels: int = 3, side: int = 64) -> DataDescription:
    facts = InputFacts(channels, side, side, len(class_names), 100)
    return dataclasses.replace(DIGITS, kind="folder", facts=facts, class_names=class_names)


def batch(count: int = 12, channels: int = 3, side: int = 24) -> torch.Tensor:
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=seeded(7))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("description", "flips"),
    [
        (photos("cat", "dog"), True),
        (photos("left hand", "other"), False),
        (photos("turn_LEFT", "straight"), False),
        (photos("7", "8"), False),
        (photos("a", "b"), False),
        (photos("three", "peace"), False),
        (photos("cat", "dog", channels=1), False),
        (photos("leftover", "rightful"), True),
        (DIGITS, False),
    ],
)
def test_flips_only_where_left_and_right_mean_nothing(description: DataDescription, flips: bool) -> None:
    chosen = augmentation(description, (24, 24))
    assert chosen.flips is flips
    assert ("flips left-right: yes" in chosen.rules) is flips
    assert augmentation(description, (24, 24), flips=not flips).flips is not flips


def test_the_generator_decides_alone_and_the_global_state_stays() -> None:
    augment = augmentation(photos("cat", "dog"), (24, 24))
    images = batch()
    torch.manual_seed(1)
    first = augment(images, seeded(3))
    expected_next = torch.manual_seed(1) and torch.rand(1)
    torch.manual_seed(2)
    generator = seeded(3)
    assert torch.equal(augment(images, generator), first)
    assert not torch.equal(augment(images, generator), first)  # the generator has moved on
    torch.manual_seed(1)
    augment(images, seeded(4))
    assert torch.equal(torch.rand(1), expected_next)


@pytest.mark.parametrize("description", [photos("cat", "dog"), photos("cat", "dog", channels=1), DIGITS])
@pytest.mark.parametrize("size", [(24, 24), (49, 40), (8, 8)])
def test_shape_and_kind_stay(description: DataDescription, size: tuple[int, int]) -> None:
    channels = description.facts.channels
    images = torch.randint(0, 256, (5, channels, *size), dtype=torch.uint8)
    before = images.clone()
    varied = augmentation(description, size)(images, seeded(0))
    assert varied.shape == images.shape
    assert varied.dtype == torch.uint8
    assert torch.equal(images, before)
    assert not torch.equal(varied, images)


def test_an_empty_batch_and_a_single_picture() -> None:
    augment = augmentation(photos("cat", "dog"), (24, 24))
    assert augment(batch(0), seeded(0)).shape == (0, 3, 24, 24)
    assert augment(batch(1), seeded(0)).shape == (1, 3, 24, 24)


def test_every_picture_varies_by_itself() -> None:
    same = batch(1).expand(16, -1, -1, -1)
    varied = augmentation(photos("cat", "dog"), (24, 24))(same, seeded(0))
    assert len({image.numpy().tobytes() for image in varied}) == 16


def gradient(side: int = 24) -> torch.Tensor:
    """Bright on the right."""
    row = torch.linspace(0, 255, side).to(torch.uint8)
    return row.expand(200, 3, side, side)


def share_turned(images: torch.Tensor) -> float:
    half = images.shape[3] // 2
    floats = images.float()
    return float((floats[..., :half].mean((1, 2, 3)) > floats[..., half:].mean((1, 2, 3))).float().mean())


def test_half_of_the_pictures_are_flipped_or_none() -> None:
    assert 0.35 < share_turned(augmentation(photos("cat", "dog"), (24, 24))(gradient(), seeded(0))) < 0.65
    assert share_turned(augmentation(photos("left", "right"), (24, 24))(gradient(), seeded(0))) == 0.0


def test_grey_pictures_keep_their_values_and_digits_their_borders() -> None:
    flat = torch.full((20, 1, 32, 32), 130, dtype=torch.uint8)
    for description in (photos("cat", "dog", channels=1), DIGITS):
        varied = augmentation(description, (32, 32))(flat, seeded(0))
        assert torch.unique(varied).tolist() == [130]


def test_digits_move_but_little() -> None:
    dot = torch.zeros((50, 1, 32, 32), dtype=torch.uint8)
    dot[:, :, 15:17, 15:17] = 255
    varied = augmentation(DIGITS, (32, 32))(dot, seeded(0)).float()[:, 0]
    positions = torch.arange(32).float()
    rows = (varied.sum(2) * positions).sum(1) / varied.sum((1, 2))
    assert 0.5 < float(rows.std()) < 3.0
    assert float((rows - 15.5).abs().max()) < 4.5  # a tenth of 32, and the turn


def test_it_travels_to_workers() -> None:
    augment = augmentation(photos("cat", "dog"), (24, 24))
    first = augment(batch(), seeded(0))
    again = pickle.loads(pickle.dumps(augment))
    assert torch.equal(again(batch(), seeded(0)), first)


def test_the_real_sets(fitnas_data: Path) -> None:
    signs = describe(fitnas_data / "vision" / "sign_digits_96.zip")
    people = describe(fitnas_data / "vision" / "person32_cifar100.npz")
    spoken = describe(fitnas_data / "audio" / "fsdd_logmel.npz")
    assert [augmentation(data, (32, 32)).flips for data in (signs, people, spoken)] == [False, True, False]
