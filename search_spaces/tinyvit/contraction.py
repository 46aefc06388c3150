"""Progressive contraction: from a large network down to the budget, a few candidates trained at each step.

Source: TinyViT (arXiv 2207.10666): candidates perturb the factors of the current network, those beyond the step's
limits are dropped, the others trained, the best is the next step's current network. The paper leaves open what a
perturbation is, how many candidates and steps there are and how the limits move. Here: steps lead from the seed's
figures to the limits in equal ratios; a candidate lowers randomly chosen factors of the current network, one option at
a time, until it is within the step's limits; the seed is the largest network of the space. Without limits the end is a
quarter of the seed's parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population
from search_spaces.core.space import Price, Rows, SearchSpace
from search_spaces.tinyvit.settings import TinyvitSettings

MOST_STEPS = 8
FEWEST_CANDIDATES = 4
_END_WITHOUT_LIMITS = 0.25
_DRAWN = 64
Told = Sequence[tuple[Architecture, float]]


@dataclass(frozen=True)
class Contraction:
    """The walk of one search; what it proposes follows from what was told, and from random numbers."""

    space: SearchSpace[TinyvitSettings]
    price: Price
    limits: Mapping[str, float]
    trials: int

    @property
    def candidates(self) -> int:
        """Networks that are trained at each step."""
        return max(FEWEST_CANDIDATES, -(-self.trials // MOST_STEPS))

    @property
    def steps(self) -> int:
        """How many steps the trials suffice for."""
        return max(1, self.trials // self.candidates)

    def propose(self, told: Told, rng: np.random.Generator) -> Population:
        """Candidates of the step that the trials told so far have come to."""
        step = min(len(told) // self.candidates, self.steps - 1)
        current = self.current(told, step)
        limits = self.limits_at(step + 1)
        found = self._lowered(np.repeat(current, _DRAWN, axis=0), limits, rng)
        return Population(self.space, rng.permutation(np.unique(found, axis=0)))

    def current(self, told: Told, step: int) -> Rows:
        """The row `(1, choices)` that a step starts from: the seed, then the best of the step before.

        Trials of an earlier step that came in late count for the later one as well, where they are within its limits.
        """
        seed = self.space.population([self.space.extremes()[1]]).matrix
        if step == 0:
            return seed
        before = told[(step - 1) * self.candidates : step * self.candidates]
        population = self.space.population([architecture for architecture, _ in before])
        within = _within(self.price(population), self.limits_at(step))
        accuracy = np.where(within, [top1 for _, top1 in before], -1.0)
        best = int(np.argmax(accuracy))
        return population.matrix[best : best + 1]

    def limits_at(self, step: int) -> dict[str, float]:
        """The limits by column at a step: those of the budget at the last one."""
        seed = self.price(self.space.population([self.space.extremes()[1]]))
        asked = {column: limit for column, limit in self.limits.items() if column in seed}
        ends = asked or {"params": _END_WITHOUT_LIMITS * float(seed["params"][0])}
        share = step / self.steps
        return {
            column: max(end, float(seed[column][0]) * (end / float(seed[column][0])) ** share)
            for column, end in ends.items()
        }

    def _lowered(self, rows: Rows, limits: Mapping[str, float], rng: np.random.Generator) -> Rows:
        """Each row with random factors lowered, one option at a time, until it is within the limits."""
        rows = rows.copy()
        for _ in range(sum(len(choice.options) - 1 for choice in self.space.choices)):
            beyond = np.flatnonzero(~_within(self.price(Population(self.space, rows)), limits))
            if not len(beyond):
                break
            # a random factor that can still be lowered: absent ones get no chance
            chance = rng.random((len(beyond), rows.shape[1])) * (rows[beyond] > 0)
            factor = chance.argmax(axis=1)
            rows[beyond, factor] = np.maximum(rows[beyond, factor] - 1, 0)
        return rows


def _within(columns: Mapping[str, NDArray[np.integer]], limits: Mapping[str, float]) -> NDArray[np.bool_]:
    inside = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for column, limit in limits.items():
        inside &= columns[column] <= limit
    return inside
