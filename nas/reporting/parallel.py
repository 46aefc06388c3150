"""Which axes and which networks a figure of parallel coordinates shows, so that it stays readable."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.reporting.run_view import DOMINATED, FRONT, RunView
from predictors.core.scores import spearman

MOST_CHOICES = 9
MOST_LINES = 800


@dataclass(frozen=True)
class Axis:
    """One axis. With `options`, values are places in them and -1 where the choice is inactive; else a metric."""

    label: str
    values: NDArray[np.float64]
    options: tuple[Any, ...] | None = None


def parallel_axes(view: RunView) -> list[Axis]:
    """The choices that the first objective depends on most, in the space's order, then the metrics that differ."""
    rows = view.of_kind(FRONT, DOMINATED)
    score = view.column(view.parts.objectives[0].column)[rows]
    choices = [axis for axis in _choice_axes(view) if np.ptp(axis.values[rows]) > 0]
    # NaN, of a score that is the same everywhere, orders nothing
    strength = [np.nan_to_num(abs(spearman(axis.values[rows], score))) for axis in choices]
    strongest = sorted(np.argsort(-np.asarray(strength), kind="stable")[:MOST_CHOICES]) if choices else []
    metrics = list(dict.fromkeys([*(o.column for o in view.parts.objectives[::-1]), *view.parts.budget.limits]))
    columns = [view.column(column) for column in metrics]
    drawn = [Axis(name, values) for name, values in zip(metrics, columns, strict=True) if np.isfinite(values).any()]
    return [*(choices[place] for place in strongest), *drawn]


def parallel_rows(view: RunView) -> NDArray[np.intp]:
    """The trials that are drawn: the front, last and so on top, after at most 800 others evenly spread."""
    others, front = view.of_kind(DOMINATED), view.of_kind(FRONT)
    spread = np.linspace(0, len(others) - 1, min(len(others), MOST_LINES)).astype(int)
    return np.concatenate([others[np.unique(spread)], front]).astype(np.intp)


def _choice_axes(view: RunView) -> list[Axis]:
    axes = []
    for choice in view.parts.space.choices:
        place = {option: float(index) for index, option in enumerate(choice.options)}
        values = np.asarray([place.get(option, -1.0) for option in view.choices[choice.name]])
        axes.append(Axis(choice.name, values, choice.options))
    return axes
