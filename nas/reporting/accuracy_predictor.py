"""How good a predictor of accuracy is, for people and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nas.accuracy_predictor import METRIC, AccuracyScores, LearntAccuracy
from predictors.accuracy.interval import COVERAGE

if TYPE_CHECKING:
    from rich.console import Console


def accuracy_document(
    predictor: LearntAccuracy, scores: AccuracyScores, folder: str, remarks: Sequence[str] = ()
) -> dict[str, Any]:
    """Plain JSON values; what does not exist, such as an order of equal figures, is None."""
    found = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(scores).items()
    }
    return {
        "predictor": folder,
        "metric": METRIC,
        "model": predictor.model_name,
        "space": predictor.space_name,
        "proxies": list(predictor.rows.proxies),
        **predictor.whose.model_dump(),
        "scores": found,
        "remarks": list(remarks),
    }


def print_accuracy_scores(console: "Console", scores: AccuracyScores, what: str, remarks: Sequence[str] = ()) -> None:
    """The scores as lines."""
    console.print(f"{what}: {scores.networks} networks", markup=False)
    console.print(f"  Kendall {scores.kendall:.3f}, RMSE {100 * scores.rmse:.2f} points")
    interval = f"{100 * COVERAGE:.0f} % interval"
    if scores.covered is None:
        console.print(f"  no {interval}: too few networks were measured")
    else:
        width, share = 100 * scores.interval, 100 * scores.covered
        console.print(f"  {interval}: {width:.2f} points up and down (median), which holds {share:.0f} %")
    for remark in remarks:
        console.print(f"  {remark}", markup=False)
