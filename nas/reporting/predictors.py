"""How good a predictor is, and what untrained networks tell, for people and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nas.device_predictor import DevicePredictor, Scores
from predictors.hardware.latency import COVERAGE

if TYPE_CHECKING:
    from rich.console import Console

_LONGEST_LIST = 8


def predictor_document(predictor: DevicePredictor, scores: Scores | None, out: str) -> dict[str, Any]:
    """Plain JSON values; what does not exist, such as an order of equal figures, is None."""
    found = {name: None if _is_nan(value) else value for name, value in asdict(scores).items()} if scores else None
    return {
        "predictor": out,
        "model": predictor.model_name,
        "space": predictor.space_name,
        "target": asdict(predictor.target),
        "whose": predictor.whose,
        "promise": predictor.promise,
        "scores": found,
    }


def print_scores_of(console: "Console", scores: Scores, what: str) -> None:
    """The scores as lines."""
    console.print(f"{what}: {scores.networks} networks", markup=False)
    for line in _lines(scores):
        console.print(f"  {line}", markup=False)


def _lines(scores: Scores) -> list[str]:
    lines = [
        f"Kendall {scores.kendall:.3f}, RMSPE {100 * scores.rmspe:.1f} %, mean error {100 * scores.mape:.1f} %",
        f"within 5 %: {100 * scores.within_5_percent:.0f} %, within 10 %: {100 * scores.within_10_percent:.0f} %",
        _interval(scores),
    ]
    if scores.outliers:
        listed = ", ".join(scores.outliers[:_LONGEST_LIST]) + (", ..." if len(scores.outliers) > _LONGEST_LIST else "")
        what = "far from what the others say" if scores.covered is None else "outside of their interval"
        lines.append(f"{what}: {len(scores.outliers)} ({listed})")
    if scores.extrapolated:
        lines.append(f"unlike all that was learnt from: {scores.extrapolated}; there no interval holds")
    return lines


def _interval(scores: Scores) -> str:
    if not math.isfinite(scores.interval):
        return f"no {100 * COVERAGE:.0f} % interval: too few networks were measured"
    width = f"{100 * COVERAGE:.0f} % interval: {100 * scores.interval:.1f} % up and down (median)"
    return width if scores.covered is None else f"{width}, which holds {100 * scores.covered:.0f} % of the figures"


def print_proxies(console: "Console", document: Mapping[str, Any]) -> None:
    """A row a proxy: what it costs, and how it orders the networks."""
    from rich.table import Table

    rows: Sequence[Mapping[str, Any]] = document["proxies"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    against = document["against"]
    for title in ("proxy", "s a network", *(f"Kendall, {name}" for name in against), "without a figure"):
        table.add_column(title, justify="left" if title == "proxy" else "right")
    for row in rows:
        orders = ("-" if row["kendall"][name] is None else f"{row['kendall'][name]:.2f}" for name in against)
        table.add_row(row["title"], f"{row['seconds']:.3f}", *orders, str(row["without_figure"]))
    console.print(table)
    if "accuracy" not in against:
        console.print("how they order by accuracy is told of a run: --run RUN", markup=False)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
