"""Progressive contraction: from a large network down to the budget, a few candidates trained at each step.

Source: TinyViT (arXiv 2207.10666): candidates perturb the factors of the current network, those beyond the step's
limits are dropped, the others trained, the best is the next step's current network. The paper leaves open what a
perturbation is, how many candidates and steps there are and how the limits move. Here: steps lead from the seed's
figures to the limits in equal ratios; a candidate lowers randomly chosen factors of the current network, one option at
a time, until it is within the step's limits; the seed is the largest network of the space. Without limits the end is a
quarter of the seed's parameters. Where a limit is on a figure that must be measured, such as throughput, a candidate is
lowered on until it is fast enough: how far is found by halving the way to the smallest network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search_spaces.core.architecture import Architecture
from search_spaces.core.limits import FLOORS, between, first_within, within
from search_spaces.core.population import Population
from search_spaces.core.space import Price, Rows, SearchSpace
from search_spaces.tinyvit.settings import TinyvitSettings

MOST_STEPS = 8
FEWEST_CANDIDATES = 4
# A search proposes so many ahead of what it was told: the last step begins so early that some proposals come in it.
AHEAD = 8
_END_WITHOUT_LIMITS = 0.25
_DRAWN = 64
_MEASURED = 2  # candidates that are brought within measured limits whenever the rule is asked
Told = Sequence[tuple[Architecture, float]]


@dataclass(frozen=True)
class Contraction:
    """The walk of one search; what it proposes follows from what was told, and from random numbers."""

    space: SearchSpace[TinyvitSettings]
    price: Price
    limits: Mapping[str, float]
    trials: int
    measure: Price | None = None

    @property
    def candidates(self) -> int:
        """Networks that are trained at each step."""
        return max(FEWEST_CANDIDATES, -(-(self.trials - AHEAD) // MOST_STEPS))

    @property
    def steps(self) -> int:
        """How many steps the trials suffice for."""
        return max(1, (self.trials - AHEAD) // self.candidates)

    def propose(self, told: Told, rng: np.random.Generator) -> Population:
        """Candidates of the step that the trials told so far have come to."""
        step = min(len(told) // self.candidates, self.steps - 1)
        current = self.current(told, step)
        limits = self.limits_at(step + 1)
        found = self._lowered(np.repeat(current, _DRAWN, axis=0), limits, rng)
        drawn = rng.permutation(np.unique(found, axis=0))
        if self.measure is not None:
            drawn = self._fast_enough(drawn[:_MEASURED], limits, rng)
        return Population(self.space, drawn)

    def current(self, told: Told, step: int) -> Rows:
        """The row `(1, choices)` that a step starts from: the seed, then the best of the step before.

        Trials of an earlier step that came in late count for the later one as well, where they are within its limits.
        """
        seed = self.space.population([self.space.extremes()[1]]).matrix
        if step == 0:
            return seed
        before = told[(step - 1) * self.candidates : step * self.candidates]
        population = self.space.population([architecture for architecture, _ in before])
        inside = within(self._figures(population), self.limits_at(step))
        accuracy = np.where(inside, [top1 for _, top1 in before], -1.0)
        best = int(np.argmax(accuracy))
        return population.matrix[best : best + 1]

    def limits_at(self, step: int) -> dict[str, float]:
        """The limits by column at a step: those of the budget at the last one."""
        seed = self._figures(self.space.population([self.space.extremes()[1]]))
        asked = {column: limit for column, limit in self.limits.items() if column in seed}
        ends = asked or {"params": _END_WITHOUT_LIMITS * float(seed["params"][0])}
        now = {column: between(float(seed[column][0]), end, step / self.steps) for column, end in ends.items()}
        return {c: min(end, now[c]) if c in FLOORS else max(end, now[c]) for c, end in ends.items()}

    def _figures(self, population: Population) -> Mapping[str, Any]:
        """Exact figures, and the measured ones where a limit is on one."""
        return {**self.price(population), **(self.measure(population) if self.measure else {})}

    def _lowered(self, rows: Rows, limits: Mapping[str, float], rng: np.random.Generator) -> Rows:
        """Each row with random factors lowered, one option at a time, until it is within the limits."""
        rows = rows.copy()
        for _ in range(sum(len(choice.options) - 1 for choice in self.space.choices)):
            beyond = np.flatnonzero(~within(self.price(self._population(rows)), limits))
            if not len(beyond):
                break
            rows[beyond] = _one_lower(rows[beyond], rng)
        return rows

    def _fast_enough(self, rows: Rows, limits: Mapping[str, float], rng: np.random.Generator) -> Rows:
        """Each row with further factors lowered until it is within the measured limits too; without those never so."""
        found = [rows[:0]]
        for row in rows:
            way = [row[None]]
            while way[-1].any():
                way.append(_one_lower(way[-1], rng))
            place = first_within(len(way), lambda at, way=way: self._is_within(way[at], limits))  # type: ignore[misc]
            # fewer channels a head are more heads, with more biases: a lower network may be beyond an exact limit again
            found += [one for one in way[place : place + 1] if within(self.price(self._population(one)), limits)]
        return np.concatenate(found)

    def _is_within(self, row: Rows, limits: Mapping[str, float]) -> bool:
        """Whether a network is within the measured limits."""
        return self.measure is None or bool(within(self.measure(self._population(row)), limits)[0])

    def _population(self, rows: Rows) -> Population:
        return Population(self.space, rows)


def _one_lower(rows: Rows, rng: np.random.Generator) -> Rows:
    """Each row with one random factor lowered by an option, of those that can be."""
    rows = rows.copy()
    chance = rng.random(rows.shape) * (rows > 0)
    factor, each = chance.argmax(axis=1), np.arange(len(rows))
    rows[each, factor] = np.maximum(rows[each, factor] - 1, 0)
    return rows
