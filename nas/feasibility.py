"""What a budget admits, before anything is trained: the share of the space, or why nothing fits and what would."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nas.gate import Gate
from nas.pricing import EXACT_COLUMNS, Columns, Pricer, promised
from nas.progress import Reporter, Silent
from predictors.core.metric import METRIC_OF_COLUMN, Metric, format_quantity
from search_spaces.core.errors import Infeasible
from search_spaces.core.population import Population

SAMPLE = 2000
_DESCENT_ROUNDS = 30
_MEASURED = 8  # networks with the fewest MACs, which are most likely the fastest


@dataclass(frozen=True)
class Feasibility:
    """A uniform sample of the space, priced; `binding` is false where every sampled architecture fits.

    `found` holds a member that fits where the sample has none but a descent from the smallest network found one.
    `refused`: how many sampled networks fit only by a schedule that the runtime's generator refuses; None where any
    schedule will do.
    """

    sampled: int
    share: float
    binding: bool
    population: Population
    columns: Columns
    found: Population | None = None
    refused: int | None = None


def survey(pricer: Pricer, seed: int, gate: Gate | None = None, reporter: Reporter | None = None) -> Feasibility:
    """Samples the space under the budget. `Infeasible` where nothing fits: proved by bounds, or none found.

    With a gate a few of the smallest networks that fit are measured, until one is within the limits on its columns.
    """
    rng = np.random.default_rng([seed, 1])
    population = pricer.space.sample(rng, SAMPLE)
    columns = pricer(population)
    share = float(columns["fits"].mean())
    found = None
    if share == 0.0:
        found = _descend(pricer)
        if found is None:
            raise Infeasible(_why_nothing_fits(pricer))
    refused = None
    if pricer.strict_runtime:
        refused = int((replace(pricer, strict_runtime=False)(population)["fits"] & ~columns["fits"]).sum())
    feasibility = Feasibility(SAMPLE, share, share < 1.0, population, columns, found, refused)
    if gate is not None and pricer.budget.restricted_to(gate.whose):
        _check_reach(pricer, feasibility, gate, reporter or Silent())
    return feasibility


def _check_reach(pricer: Pricer, feasibility: Feasibility, gate: Gate, reporter: Reporter) -> None:
    """`Infeasible` where none of the smallest networks that fit is within the measured limits."""
    limits = pricer.budget.restricted_to(gate.whose)
    fitting = np.flatnonzero(feasibility.columns["fits"])
    fewest = fitting[np.argsort(feasibility.columns["macs"][fitting], kind="stable")][:_MEASURED]
    smallest = pricer.space.population([pricer.space.extremes()[0]])
    tried = smallest[pricer(smallest)["fits"]].concatenate(feasibility.population[fewest])
    tried = tried if feasibility.found is None else tried.concatenate(feasibility.found)
    with gate.shown(reporter, len(tried)) as shown:
        if any(limits.admits(shown(tried[row : row + 1]))[0] for row in range(len(tried))):
            return
    figures = gate(tried)
    told = []
    for column in limits.limits:
        values = figures[column]
        best = int(np.argmin(values) if METRIC_OF_COLUMN[column].better == "less" else np.argmax(values))
        who = f"the fastest of {len(tried)} networks ({tried[best].id})"
        told.append(limits.beside(column, {who: float(values[best])}, pricer.runtime))
    raise Infeasible(
        f"none found in the space '{pricer.space.name}' that fits: {'; '.join(told)}. Measured were those of the "
        "fewest MACs within the exact limits. Give a limit that it meets, or let the space be smaller with --set"
    )


def ends_that_fit(pricer: Pricer, feasibility: Feasibility) -> Population:
    """Two networks: of those known to be within the exact limits the ones of the fewest and of the most MACs."""
    known = pricer.space.population(pricer.space.extremes()).concatenate(feasibility.population)
    known = known if feasibility.found is None else known.concatenate(feasibility.found)
    columns = pricer(known)
    fitting = np.flatnonzero(columns["fits"])
    macs = columns["macs"][fitting]
    return known[fitting[[int(np.argmin(macs)), int(np.argmax(macs))]]]


def _descend(pricer: Pricer) -> Population | None:
    """A member that fits, by walking from the smallest architecture to the neighbour that is least over budget."""
    here = pricer.space.population([pricer.space.extremes()[0]])
    free = pricer.without_budget()
    excess = math.inf
    for _ in range(_DESCENT_ROUNDS):
        around = here.concatenate(pricer.space.neighbours(here[0]))
        columns = pricer(around)
        fitting = np.flatnonzero(columns["fits"])
        if len(fitting):
            return around[fitting[:1]]
        figures = free(around)
        over = _excess(figures, {**(pricer.limits or {}), **pricer.promises(figures)})
        nearest = int(np.argmin(over))
        if over[nearest] >= excess:
            return None
        here, excess = around[nearest : nearest + 1], float(over[nearest])
    return None


def _excess(columns: Columns, limits: dict[str, float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    ratios = [np.maximum(columns[column] / limit - 1.0, 0.0) for column, limit in limits.items()]
    return np.asarray(np.sum(ratios, axis=0))


def least_figures(pricer: Pricer) -> Columns:
    """A lower bound of every metric over the whole space; for a space without bounds, its smallest architecture's.

    Every bound is taken alone, under the schedule that is best for it.
    """
    table = pricer.space.least()
    if table is None:
        smallest = pricer.space.population([pricer.space.extremes()[0]])
        return pricer.without_budget()(smallest)
    columns = pricer.bound(table)
    # the schedule of least peak recomputes; the least MACs are those layer by layer
    columns["macs"] = columns["macs_layerwise"]
    return columns


def _why_nothing_fits(pricer: Pricer) -> str:
    least = least_figures(pricer)
    broken = [(c, limit) for c, limit in (pricer.limits or {}).items() if least[c].min() > limit]
    name = pricer.space.name
    if not broken and pricer.budget.restricted_to(pricer.predicted):
        return _out_of_reach(pricer)
    if not broken:
        needed = f"none of {SAMPLE:,} sampled architectures and none near the smallest one fits"
        way = ", or leave --strict-runtime away" if pricer.strict_runtime else ""
        return (
            f"nothing found that fits in the space '{name}': {needed}; each limit alone can be met, so relax one{way}"
        )
    proved = pricer.space.least() is not None
    lines = []
    for column, limit in broken:
        metric, smallest = METRIC_OF_COLUMN[column], float(least[column].min())
        lines.append(
            f"nothing in the space '{name}' fits: {metric.key} <= {format_quantity(metric, limit)}, but its smallest "
            f"network needs {format_quantity(metric, smallest)}{_at_resolution(pricer, least, column)}, runtime "
            f"{pricer.runtime}{' (a proved lower bound)' if proved else ''}"
        )
    return "\n".join([*lines, *_what_would_fit(pricer, broken)])


def _out_of_reach(pricer: Pricer) -> str:
    """Of limits on predicted figures, which no bound proves."""
    around = _around_the_smallest(pricer)
    columns = pricer.without_budget()(around)
    told = []
    for column in pricer.budget.restricted_to(pricer.predicted).limits:
        held = promised(column, columns)
        best = int(np.argmin(columns[held]))
        who = f"the least of {len(around)} networks near the smallest ({around[best].id})"
        beside = pricer.budget.beside(column, {who: float(columns[column][best])}, pricer.runtime)
        ends = (
            "" if held == column else f" (interval {columns[f'{column}_low'][best]:.4g} to {columns[held][best]:.4g})"
        )
        told.append(beside + ends)
    return (
        f"none found in {SAMPLE:,} sampled architectures of the space '{pricer.space.name}', nor near the smallest: "
        f"{'; '.join(told)}. Give a limit that it meets, or let the space be smaller with --set"
    )


def _at_resolution(pricer: Pricer, least: Columns, column: str) -> str:
    resolutions = getattr(pricer.space.settings, "resolutions", ())
    index = int(np.argmin(least[column]))
    return f" at {resolutions[index]} pixels" if index < len(resolutions) else ""


def _what_would_fit(pricer: Pricer, broken: list[tuple[str, float]]) -> Iterator[str]:
    smallest = _descent_figures(pricer)
    yield "would fit: --budget " + ",".join(
        f"{METRIC_OF_COLUMN[c].key}={_rounded_up(METRIC_OF_COLUMN[c], float(smallest[c]))}" for c, _ in broken
    )
    space: Any = pricer.space.smaller()
    while space is not None:
        least = least_figures(replace(pricer.without_budget(), space=space))
        if all(least[column].min() <= limit for column, limit in broken):
            yield f"or smaller pictures: --set resolutions={','.join(map(str, space.settings.resolutions))}"
            return
        space = space.smaller()


def _descent_figures(pricer: Pricer) -> dict[str, float]:
    """The smallest figure of each metric among the smallest architecture and its neighbours: these can be built."""
    columns = pricer.without_budget()(_around_the_smallest(pricer))
    return {column: float(columns[column].min()) for column in EXACT_COLUMNS}


def _around_the_smallest(pricer: Pricer) -> Population:
    smallest = pricer.space.population([pricer.space.extremes()[0]])
    return smallest.concatenate(pricer.space.neighbours(smallest[0]))


def _rounded_up(metric: Metric, value: float) -> str:
    """The value as a flag, rounded up to a whole step of its usual prefix."""
    prefix = "k" if "k" in metric.suffixes else ""
    return f"{math.ceil(value / metric.suffixes[prefix])}{prefix}"
