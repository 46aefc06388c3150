"""Candidates that several strategies make: new, within every limit that is known, near good ones."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.budget import Budget
from nas.core.trial import Trial
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.core.population import Population
from search_spaces.core.space import Price, SearchSpace

Columns = Mapping[str, NDArray[Any]]
NOT_FIGURES = ("fits", "patches", "split")
_MOST_ROUNDS = 4


def neighbourhood(space: SearchSpace[Any], around: Population) -> Population:
    """Everything that differs from a member of `around` by one choice, each once, without `around`; sorted."""
    rows = []
    for column, choice in enumerate(space.choices):
        for option in range(len(choice.options)):
            changed = around.matrix.copy()
            changed[:, column] = option
            rows.append(changed)
    near = np.unique(space.canonical(np.concatenate(rows)), axis=0) if len(around) else around.matrix
    return without(Population(space, near), set(around.keys()))


def distinct(population: Population) -> Population:
    """Each architecture once, where it stands first."""
    _, first = np.unique(population.matrix, axis=0, return_index=True)
    return population[np.sort(first)]


def without(population: Population, keys: Collection[bytes]) -> Population:
    """Those whose key is not among `keys`, in order."""
    return population[np.array([key not in keys for key in population.keys()], dtype=bool)]  # noqa: SIM118


def within_limits(population: Population, price: Price | None, budget: Budget) -> tuple[Population, Columns]:
    """Those that are within every limit known before an evaluation, and their exact figures by column.

    Without `price` nothing is known, so all are. A figure that is NaN or infinite keeps a network out.
    """
    if price is None or not len(population):
        return population, {}
    priced = price(population)
    figures = {column: np.asarray(values) for column, values in priced.items() if column not in NOT_FIGURES}
    fits = np.asarray(priced.get("fits", np.ones(len(population), dtype=bool)), dtype=bool)
    for values in figures.values():
        fits = fits & np.isfinite(values)
    limits = budget.restricted_to(figures)
    fits = fits & limits.admits(figures) if limits else fits
    return population[fits], {column: values[fits] for column, values in figures.items()}


def new_samples(
    space: SearchSpace[Any],
    rng: np.random.Generator,
    n: int,
    price: Price | None,
    budget: Budget,
    seen: Collection[bytes] = (),
) -> Population:
    """About `n` random architectures that fit and are not `seen`; fewer where few fit, as they are where none does."""
    found = space.population([])
    for _ in range(_MOST_ROUNDS):
        drawn = without(distinct(space.sample(rng, 2 * n)), seen)
        found = distinct(found.concatenate(within_limits(drawn, price, budget)[0]))
        if len(found) >= n:
            break
    return found[:n] if len(found) else space.sample(rng, n)


def violations(budget: Budget, trial: Trial) -> dict[str, float]:
    """How far beyond each limit a trial is, as a share of the limit; 0 or less within, 1 where there is no figure.

    >>> from search_spaces.core.architecture import Architecture
    >>> violations(Budget({"latency_ms": 20}), Trial(0, Architecture("toy", {}, {}), "complete", {"latency_ms": 25}))
    {'latency_ms': 0.25}
    """
    found = {}
    for column, limit in budget.limits.items():
        value = trial.metrics.get(column)
        excess = 1.0 if value is None else (value - limit) / limit
        more_is_better = value is not None and METRIC_OF_COLUMN[column].better == "more"
        found[column] = -excess if more_is_better else excess
    return found
