"""Supernet training: who is trained at which resolution and on what, kill -9 and resume, of every sampling."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.training.checkpoint import model_arrays
from nas.training.data import Pictures
from nas.training.epochs import Progress, Recipe
from nas.training.loop import prepare
from nas.training.supernet import FILE_NAME, SupernetReport, train_supernet
from search_spaces.blocks.elastic_mbconv import ElasticMbconv
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError
from search_spaces.mcunetv2.space import Mcunetv2
from tests.forked import forked


def train(space: Mcunetv2, few: Pictures, **more: Any) -> SupernetReport:
    settings = {"epochs": 1, "batch_size": 32, "seed": 4, "accelerator": "cpu", "threads": 1, **more}
    return train_supernet(space, few, **settings)


def train_until_killed(space: Mcunetv2, few: Pictures, step: int, sampling: str, directory: Path) -> None:
    def progress(now: Progress) -> None:
        if now.step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    train(space, few, epochs=3, sampling=sampling, directory=directory, progress=progress)


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


def test_each_step_trains_the_largest_and_random_ones_and_some_steps_the_smallest(
    space: Mcunetv2, few: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated: list[str] = []
    sides: list[int] = []

    class Watched(ElasticMbconv):
        def activate(self, architecture: Architecture) -> None:
            activated.append(architecture.id)
            super().activate(architecture)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            sides.append(x.shape[-1])
            return super().forward(x)

    smallest, largest = space.extremes()
    monkeypatch.setattr(Mcunetv2, "supernet", lambda self: Watched(self.locate(self.extremes()[1])[0], self.locate))
    middle = list(space.sample(np.random.default_rng(0), 3))
    train(space, few, epochs=8, candidates=lambda _, n: middle[:n])
    text = " ".join(activated)
    without = " ".join([largest.id, *(member.id for member in middle)])
    with_smallest = without.replace(largest.id, f"{largest.id} {smallest.id}")
    steps = text.count(largest.id)
    assert text.count(without) + text.count(with_smallest) == steps
    assert 0 < text.count(with_smallest) < steps / 2
    side_of = {member.id: space.input_size(member)[1] for member in (largest, smallest, *middle)}
    assert sides == [side_of[name] for name in activated]


def test_extremes_can_be_replaced_and_untouched_weights_stay(space: Mcunetv2, few: Pictures) -> None:
    smallest, _ = space.extremes()
    report = train(space, few, largest=smallest, random_subnets=0)
    with torch.random.fork_rng():
        torch.manual_seed(4)
        initial = space.supernet().state_dict()
    assert set(report.weights) == set(initial)
    assert not np.array_equal(report.weights["stem.conv.weight"], initial["stem.conv.weight"].numpy())
    dropped = next(name for name in initial if name.startswith("blocks.4.project"))  # beyond the smallest depth
    assert np.array_equal(report.weights[dropped], initial[dropped].numpy())


def test_equal_seeds_give_equal_weights_and_others_do_not(space: Mcunetv2, few: Pictures) -> None:
    first = train(space, few)
    assert same(first.weights, train(space, few).weights)
    assert not same(first.weights, train(space, few, seed=5).weights)
    assert all(value.dtype == np.float32 and value.flags.c_contiguous for value in first.weights.values())


def test_candidates_get_a_generator_of_the_seed(space: Mcunetv2, few: Pictures) -> None:
    drawn: list[list[float]] = []

    def candidates(rng: np.random.Generator, n: int) -> Iterable[Architecture]:
        drawn.append([float(rng.random()) for _ in range(3)])
        return [space.extremes()[0]] * n

    train(space, few, candidates=candidates)
    first, drawn = drawn, []
    train(space, few, candidates=candidates)
    assert drawn == first
    assert len({tuple(row) for row in drawn}) == 3


@pytest.mark.parametrize(("step", "sampling"), [(5, "sandwich"), (6, "sandwich"), (5, "uniform"), (5, "multi")])
def test_kill_9_and_resume_give_the_same_weights(
    space: Mcunetv2, few: Pictures, tmp_path: Path, step: int, sampling: str
) -> None:
    expected = train(space, few, epochs=3, sampling=sampling)
    folder = tmp_path / "checkpoints"
    killed = forked(train_until_killed, space, few, step, sampling, folder)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    resumed = train(space, few, epochs=3, sampling=sampling, directory=folder)
    assert same(resumed.weights, expected.weights)
    assert resumed.losses == expected.losses
    assert same(model_arrays(folder / FILE_NAME), expected.weights)


def test_another_sampling_is_another_training(space: Mcunetv2, few: Pictures, tmp_path: Path) -> None:
    train(space, few, sampling="multi", directory=tmp_path)
    train(space, few, sampling="multi", directory=tmp_path)
    for other in ({"sampling": "sandwich"}, {"sampling": "uniform"}, {"sampling": "multi", "random_subnets": 4}):
        with pytest.raises(FitnasError, match="belongs to another training"):
            train(space, few, directory=tmp_path, **other)


def test_one_pass_adds_up_the_gradients_of_its_members(
    space: Mcunetv2, few: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of `multi`, written out with one sub-network after the other on its own pictures."""
    members = [member for member in space.sample(np.random.default_rng(0), 20) if space.input_size(member)[1] == 8][:4]
    monkeypatch.setattr("nas.training.sampling.multi.UNLOCKED_AFTER", 0.0)
    monkeypatch.setattr(Recipe, "optimizer_of", lambda self, network: torch.optim.SGD(network.parameters(), 0.1))
    report = train(space, few, batch_size=96, sampling="multi", random_subnets=4, candidates=lambda _, n: members)
    pictures = prepare(torch.from_numpy(few.train.images), (8, 8), few.mean, few.std)
    order = torch.from_numpy(np.random.default_rng([4, 0]).permutation(96))
    labels = torch.from_numpy(few.train.labels.astype(np.int64))
    with torch.random.fork_rng():
        torch.manual_seed(4)
        supernet = space.supernet().to(memory_format=torch.channels_last)
    supernet.train()
    losses = []
    for member, part in zip(members, order.tensor_split(4), strict=True):
        supernet.activate(member)
        losses.append(torch.nn.functional.cross_entropy(supernet(pictures[part]), labels[part]))
    loss = torch.stack(losses).mean()
    loss.backward()
    assert report.losses[0] == pytest.approx(loss.item(), rel=1e-5)
    torch.nn.utils.clip_grad_norm_(supernet.parameters(), 5.0)
    torch.optim.SGD(supernet.parameters(), 1e-2).step()
    for name, value in supernet.state_dict().items():
        assert np.allclose(report.weights[name], value.numpy(), atol=1e-5), name


def test_a_small_batch_is_shared_by_fewer(space: Mcunetv2, few: Pictures) -> None:
    """Each has two pictures or more: the norms of the smallest maps have no variance with one."""
    report = train(space, few, batch_size=7, sampling="multi", random_subnets=16)
    assert np.isfinite(report.losses).all()


@pytest.mark.parametrize(("sampling", "epochs"), [("sandwich", 4), ("uniform", 20), ("multi", 30)])
def test_training_lowers_the_loss(space: Mcunetv2, few: Pictures, sampling: str, epochs: int) -> None:
    report = train(space, few, epochs=epochs, batch_size=16, sampling=sampling)
    assert report.losses[-1] < report.losses[0] - 0.3
