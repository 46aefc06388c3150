"""Scores by hand; fit learns digits, repeats itself, resumes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.training.data import Pictures
from nas.training.epochs import Progress
from nas.training.loop import Fit, evaluate, fit, logits_of, prepare, score
from search_spaces.core.errors import FitnasError
from search_spaces.mcunetv2.space import Mcunetv2


class Brightness(nn.Module):
    """Predicts class 1 for pictures brighter than grey, else class 0; of three classes."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x.mean((1, 2, 3))
        return torch.stack([-bright, bright, torch.full_like(bright, -9.0)], dim=1)


def shades(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(6, 2).repeat(6, 3)


def test_scores_by_hand() -> None:
    scores = score(np.array([0, 0, 0, 2, 1]), np.array([0, 0, 1, 1, 1]), 4)
    assert scores.top1 == 3 / 5
    assert scores.balanced_top1 == pytest.approx((1 + 1 / 3) / 2)  # classes 2 and 3 do not occur
    assert scores.confusion.tolist() == [[2, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_evaluate_resizes_normalises_and_counts() -> None:
    scores = evaluate(Brightness(), shades(0, 10, 200, 255), np.array([0, 1, 1, 2]), (3, 4), [0.5], [0.25])
    assert scores.top1 == 0.5
    assert scores.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0]]


def test_logits_do_not_depend_on_how_pictures_are_batched() -> None:
    images = shades(*range(0, 250, 2))
    whole = logits_of(Brightness(), images, (6, 6), [0.5], [0.25])
    assert whole.shape == (125, 3)
    assert np.allclose(whole[70:72], logits_of(Brightness(), images[70:72], (6, 6), [0.5], [0.25]))


def test_nothing_to_score() -> None:
    with pytest.raises(FitnasError, match="no pictures to score"):
        evaluate(Brightness(), shades()[:0], np.zeros(0, np.int64), (6, 6), [0.5], [0.25])


def test_prepare_normalises_channels() -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 2, 1, 1).repeat(1, 1, 4, 4)
    x = prepare(images, (2, 2), [0.5, 0.0], [0.5, 2.0])
    assert x[0, :, 0, 0].tolist() == pytest.approx([-1.0, 0.5])
    assert x.shape == (1, 2, 2, 2)


def test_fit_learns_digits(space: Mcunetv2, digits: Pictures) -> None:
    torch.manual_seed(0)
    network = space.build(space.extremes()[0])
    report = fit(network, digits, Fit(6, 1e-2), size=(16, 16), accelerator="cpu", threads=1)
    scores = evaluate(network, digits.validation.images, digits.validation.labels, (16, 16), digits.mean, digits.std)
    assert scores.top1 > 0.85
    assert report.epochs == len(report.losses) == 6
    assert not network.training


def test_fit_repeats_itself_and_resumes(space: Mcunetv2, few: Pictures, tmp_path: Path) -> None:
    def run(checkpoint: Path | None, stop_at: int = 0) -> dict[str, Tensor]:
        def progress(now: Progress) -> None:
            if now.step == stop_at:
                raise KeyboardInterrupt

        torch.manual_seed(0)
        network = space.build(space.extremes()[0])
        fit(
            network,
            few,
            Fit(3, batch_size=32),
            size=(8, 8),
            accelerator="cpu",
            threads=1,
            progress=progress,
            checkpoint=checkpoint,
        )
        return network.state_dict()

    first, second = run(None), run(None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "fit.safetensors", stop_at=5)
    resumed = run(tmp_path / "fit.safetensors")
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
        assert torch.equal(value, resumed[name]), name
