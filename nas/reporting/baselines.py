"""A joint search of architecture and widths beside its baselines, for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.baselines import Baselines, Searched
from nas.core.objective import Objective, parse_objectives
from nas.reporting import html
from nas.reporting.run_view import RunView
from nas.reporting.tables import quantity, title

if TYPE_CHECKING:
    from rich.console import Console

_LEVELS = 4


def print_baselines(console: "Console", found: Baselines) -> None:
    """A row a way."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    headings, *rows = _rows(found)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def section(view: RunView) -> str:
    """The same for the report; nothing where the baselines were not searched."""
    found = Baselines.read(view.run)
    if found is None:
        return ""
    words = (
        "The same number of evaluations with the same shared weights: architectures searched in floats, whose front is "
        "then int8 as a whole; and the widths of the largest network alone. Hypervolume is the share of this run's "
        "own box."
    )
    headings, *rows = _rows(found)
    return html.section(
        "baselines", "Beside searching first", html.paragraph(words, "soft"), html.table(headings, rows)
    )


def _rows(found: Baselines) -> list[list[str]]:
    """Headings, then a row a way: its hypervolume, and the least of the second objective at levels of the first."""
    objectives = parse_objectives(found.objectives)
    levels = _levels(found.ways, objectives)
    reached = [f"{title(objectives[1].column)} at {quantity(objectives[0].column, level)}" for level in levels]
    rows = [["search", "evaluations", "front", "hypervolume", *reached]]
    for way in found.ways:
        best = [_best_at(way, objectives, level) for level in levels]
        rows.append([way.name, f"{way.evaluations:,}", f"{len(way.points):,}", f"{way.hypervolume:.4f}", *best])
    return rows


def _levels(ways: Sequence[Searched], objectives: Sequence[Objective]) -> list[float]:
    """Values of the first objective that a front reached, spread from the worst of the best half to the best."""
    if len(objectives) < 2:
        return []
    values = np.unique([point[0] for way in ways for point in way.points])
    if objectives[0].minimise:
        values = values[::-1]
    half = values[len(values) // 2 :]
    if not len(half):
        return []
    return [float(half[place]) for place in np.unique(np.linspace(0, len(half) - 1, _LEVELS).astype(int))]


def _best_at(way: Searched, objectives: Sequence[Objective], level: float) -> str:
    first, second = objectives[:2]
    good = [point for point in way.points if first.oriented(point[0]) <= first.oriented(level)]
    if not good:
        return "-"
    return quantity(second.column, min(good, key=lambda point: float(second.oriented(point[1])))[1])
