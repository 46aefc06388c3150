"""Strategies that look around the front of what was measured."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.core.pareto import non_dominated
from nas.core.trial import Trial
from nas.strategies.moves import neighbourhood, new_samples, violations, within_limits, without
from nas.strategies.strategy import Strategy
from nas.strategies.surrogates import on_log_scale
from search_spaces.core.population import Population

Floats = NDArray[np.float64]

_BEYOND_WORST = 0.1  # of the front's extent, where no box is given
_LEAST_EXTENT = 1e-9
_FEWEST = 5  # trials around which is searched while none is within the box


class AroundFront(Strategy):
    """What they share: the front on a log scale, its neighbours, and random networks that are new and fit."""

    def random(self, rng: np.random.Generator, n: int) -> Population:
        """Random networks that fit and were not told; where none is found, random ones."""
        return new_samples(self.space, rng, n, self.price, self.budget, self.seen)

    def near_front(self, told: Sequence[Trial], rng: np.random.Generator, n: int) -> Population:
        """At most `n` neighbours of the front, at random, that fit and were not told."""
        near = without(neighbourhood(self.space, self.front(told)), self.seen)
        some = near[rng.permutation(len(near))[: 4 * n]]
        return within_limits(some, self.price, self.budget)[0][:n]

    def front(self, told: Sequence[Trial]) -> Population:
        """The front of the trials within the box and the budget; where none is, those that miss it least."""
        values = self.values(told)
        inside = self.admitted(told) & (values <= self.worst(told)).all(axis=1)
        if inside.any():
            rows = np.flatnonzero(inside)[non_dominated(values[inside])]
        else:
            rows = np.argsort(self.missed_by(told), kind="stable")[:_FEWEST]
        return self.space.population([told[row].architecture for row in rows])

    def values(self, told: Sequence[Trial]) -> Floats:
        """Objectives `(n, objectives)` on the log scale, less is better."""
        return np.stack([on_log_scale(o, [t.metrics[o.column] for t in told]) for o in self.objectives], axis=1)

    def worst(self, told: Sequence[Trial]) -> Floats:
        """The box's corner on the log scale `(objectives,)`: beyond it nothing counts.

        By the search's box, and by limits on objectives. Without a box, a tenth of the front's extent beyond the front.
        """
        if self.reference is None:
            values = self.values(told)
            front = values[non_dominated(values)]
            corner = front.max(axis=0) + _BEYOND_WORST * np.ptp(front, axis=0) + _LEAST_EXTENT
        else:
            raw = zip(self.objectives, self.reference.worst, strict=True)
            corner = np.array([float(on_log_scale(objective, value)) for objective, value in raw])
        for k, objective in enumerate(self.objectives):
            if objective.column in self.budget.limits:
                limit = float(on_log_scale(objective, self.budget.limits[objective.column]))
                corner[k] = min(corner[k], limit)
        return np.asarray(corner, dtype=np.float64)

    def admitted(self, told: Sequence[Trial]) -> NDArray[np.bool_]:
        """Which trials are within the budget."""
        limits = self.budget.limits
        if not limits:
            return np.ones(len(told), dtype=bool)
        return self.budget.admits({c: [trial.metrics.get(c, np.nan) for trial in told] for c in limits})

    def missed_by(self, told: Sequence[Trial]) -> Floats:
        """How far each trial is beyond the box and the limits `(n,)`: feasible ones first, then by violation."""
        beyond = np.maximum(self.values(told) - self.worst(told), 0.0).sum(axis=1)
        return np.asarray(
            beyond + [sum(max(v, 0.0) for v in violations(self.budget, trial).values()) for trial in told]
        )
