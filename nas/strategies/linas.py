"""LINAS: an inner search on light predictors (Cummings et al., arXiv 2205.10358), with what was found to help.

Batches are of 20 rather than 50, no network is measured twice, and the predictor is an ensemble of trees rather than
ridge or support vector regression. The inner search is NSGA-II (Deb et al., 2002) on predictions; what counts as the
result of a search is the front of measured trials alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.core.budget import Budget
from nas.core.trial import Trial
from nas.strategies.around_front import Floats
from nas.strategies.evolution import best_rows
from nas.strategies.moves import distinct, within_limits, without
from nas.strategies.planning import Planning
from nas.strategies.surrogates import Surrogates
from search_spaces.core.population import Population
from search_spaces.core.space import Price

_MODEL = "extra_trees"
_POPULATION, _GENERATIONS = 60, 12
_MUTATION = 0.1  # of each choice, as in nas/strategies/evolution.py


class LINAS(Planning):
    """Light predictors and an inner NSGA-II on their predictions (LINAS); batches of twenty."""

    batch: ClassVar[int] = 20
    startup: ClassVar[int] = 20
    length: ClassVar[int] = 28  # a batch, and what may be under way beside it
    in_order: ClassVar[bool] = False

    def plan(self, told: Sequence[Trial], rng: np.random.Generator) -> Population:
        """The best of the inner search's last population, as far as they are new."""
        population = self.space.population([trial.architecture for trial in told])
        inner = _Inner(self.models(_MODEL, told), self.worst(told), self.price, self.budget)
        found = inner.judged(self.front(told).concatenate(self.random(rng, _POPULATION)))
        for _ in range(_GENERATIONS):
            parents = found.best(_POPULATION)
            children = distinct(self._children(parents.population, rng))
            found = parents.joined(inner.judged(without(children, parents.population.keys())))
        seen = set(population.keys())
        return found.only([key not in seen for key in found.population.keys()]).best(self.length).population  # noqa: SIM118

    def _children(self, parents: Population, rng: np.random.Generator) -> Population:
        mothers = parents[rng.integers(len(parents), size=_POPULATION)]
        fathers = parents[rng.integers(len(parents), size=_POPULATION)]
        return self.space.mutate(rng, self.space.crossover(rng, mothers, fathers), _MUTATION)


@dataclass(frozen=True)
class _Judged:
    """Networks that fit, their predicted objectives, and which are likely within the box and measured limits."""

    population: Population
    values: Floats
    likely: NDArray[np.bool_]

    def only(self, rows: ArrayLike) -> "_Judged":
        chosen = np.asarray(rows)
        return _Judged(self.population[chosen], self.values[chosen], self.likely[chosen])

    def best(self, count: int) -> "_Judged":
        """By feasibility, then by rank and crowding (NSGA-II)."""
        return self.only(np.array(best_rows(self.values, self.likely, count), dtype=np.intp))

    def joined(self, other: "_Judged") -> "_Judged":
        values, likely = np.concatenate([self.values, other.values]), np.concatenate([self.likely, other.likely])
        return _Judged(self.population.concatenate(other.population), values, likely)


@dataclass(frozen=True)
class _Inner:
    """The judge of the inner search: exact figures as priced, others as predicted."""

    models: Surrogates
    worst: Floats
    price: Price | None
    budget: Budget

    def judged(self, population: Population) -> _Judged:
        fitting, figures = within_limits(population, self.price, self.budget)
        expected = self.models.expect(fitting, figures)
        likely = (expected.mean <= self.worst).all(axis=1) & (expected.chance >= 0.5)
        return _Judged(fitting, expected.mean, np.asarray(likely))


STRATEGY = LINAS
