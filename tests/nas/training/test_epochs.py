"""The shared loop: learning rates, deadlines, divergence, resuming to the same weights."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.training.epochs import FitReport, Progress, Recipe, Trainer
from search_spaces.core.errors import FitnasError, WrongUse

CPU = torch.device("cpu")


class StopTraining(Exception):
    """Stands for Ctrl-C."""


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Flatten(), nn.Linear(64, 3))


def data(pictures: int = 20) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (pictures, 1, 6, 6), dtype=np.uint8), rng.integers(0, 3, pictures)


def noise(images: Tensor, generator: torch.Generator) -> Tensor:
    return images ^ torch.randint(0, 16, images.shape, generator=generator, dtype=torch.uint8)


def train(
    model: nn.Module,
    epochs: int = 3,
    checkpoint: Path | None = None,
    stop_at: int = 0,
    seed: int = 0,
    **more: Any,
) -> FitReport:
    def accumulate(images: Tensor, labels: Tensor, rng: np.random.Generator) -> float:
        shift = float(rng.random())
        loss = functional.cross_entropy(model(images.float() / 255 + shift), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def progress(now: Progress) -> None:
        if now.step == stop_at:
            raise StopTraining

    recipe = Recipe(epochs, 1e-2, batch_size=8, ema_decay=0.9)
    images, labels = data()
    trainer = Trainer(model, recipe, images, labels, CPU, seed, noise, checkpoint)
    return trainer.run(accumulate, threads=1, progress=progress, **more)


def equal(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_learning_rates_rise_then_follow_a_cosine_to_zero() -> None:
    recipe = Recipe(10, 1e-2, warm_up=0.05)
    rates = [recipe.rate(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-2 / 50)
    assert max(rates) == rates[49] == pytest.approx(1e-2, rel=0.01)
    assert rates[500] == pytest.approx(0.5e-2)
    assert rates[999] == pytest.approx(0.0, abs=1e-7)
    assert rates[49:] == sorted(rates[49:], reverse=True)


def test_a_single_step_has_a_learning_rate() -> None:
    assert Recipe(1, 1e-2).rate(0, 1) == 1e-2


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"learning_rate": -1.0}, {"batch_size": 0}, {"learning_rate": math.nan}]
)
def test_impossible_recipes_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(WrongUse, match=next(iter(change))):
        Recipe(**{"epochs": 1, "learning_rate": 1e-2, **change})


def test_progress_counts_every_step_and_losses_every_epoch() -> None:
    seen: list[Progress] = []
    model = network()

    def accumulate(images: Tensor, labels: Tensor, rng: np.random.Generator) -> float:
        assert images.dtype == torch.uint8
        assert labels.dtype == torch.int64
        assert model.training
        return float(len(images))

    images, labels = data(20)
    trainer = Trainer(model, Recipe(2, 1e-2, batch_size=8), images, labels, CPU, 0)
    report = trainer.run(accumulate, progress=seen.append)
    assert [(now.step, now.epoch) for now in seen] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
    assert {now.steps for now in seen} == {6}
    assert report.losses == pytest.approx([(6 * 6 + 7 * 7 + 7 * 7) / 20] * 2)
    assert seen[-1].loss == report.losses[-1]


@pytest.mark.parametrize("stop_at", [1, 3, 5, 6, 9])
def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path: Path, stop_at: int) -> None:
    whole = network()
    expected = train(whole)
    broken = network()
    with pytest.raises(StopTraining):
        train(broken, checkpoint=tmp_path / "a.safetensors", stop_at=stop_at)
    torch.manual_seed(99)  # another process would have other random numbers
    resumed = network()
    report = train(resumed, checkpoint=tmp_path / "a.safetensors")
    assert report.losses == expected.losses
    assert equal(resumed, whole)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first, second = network(), network()
    expected = train(first, checkpoint=tmp_path / "a.safetensors")
    report = train(second, checkpoint=tmp_path / "a.safetensors", stop_at=1)
    assert report.losses == expected.losses
    assert equal(first, second)


def test_another_seed_does_not_take_the_checkpoint(tmp_path: Path) -> None:
    train(network(), checkpoint=tmp_path / "a.safetensors")
    with pytest.raises(FitnasError, match="seed 0 instead of 1"):
        train(network(), checkpoint=tmp_path / "a.safetensors", seed=1)


def test_the_callers_random_numbers_are_untouched() -> None:
    model = network()
    state = torch.get_rng_state()
    train(model)
    assert torch.equal(state, torch.get_rng_state())


def test_a_deadline_cuts_epochs_and_the_cut_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    report = train(network(), epochs=50, checkpoint=path, deadline=time.monotonic() - 1)
    assert report.epochs == 1
    assert train(network(), epochs=50, checkpoint=path).epochs == 1
    assert train(network(), epochs=2, deadline=time.monotonic() + 600).epochs == 2


def test_divergence_is_an_error_with_advice() -> None:
    images, labels = data()
    trainer = Trainer(network(), Recipe(1, 0.5), images, labels, CPU, 0)
    with pytest.raises(FitnasError, match=r"diverged in epoch 1.*below 0.5"):
        trainer.run(lambda *_: math.nan)


def test_one_picture_is_too_few() -> None:
    images, labels = data(1)
    with pytest.raises(WrongUse, match="at least 2"):
        Trainer(network(), Recipe(1, 1e-2), images, labels, CPU, 0)


def averages(decay: float, values: list[float]) -> float:
    """A trained parameter that is `values[i]` after step i, averaged."""
    model = nn.Linear(1, 1, bias=False)
    images, labels = np.zeros((2, 1, 1, 1), np.uint8), np.zeros(2, np.int64)
    trainer = Trainer(model, Recipe(len(values), 1e-2, ema_decay=decay), images, labels, CPU, 0)
    nn.init.zeros_(model.weight)
    trainer._average["weight"].zero_()
    for step, value in enumerate(values):
        nn.init.constant_(model.weight, value)
        trainer._update_average(step)
    return float(trainer._average["weight"])


def test_early_averages_forget_the_first_weights() -> None:
    assert averages(0.99, [1.0, 1.0]) == pytest.approx(1 - (1 / 10) * (2 / 11))
    assert averages(0.05, [1.0]) == pytest.approx(0.95)
