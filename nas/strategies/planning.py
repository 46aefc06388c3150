"""Strategies that fit models: they plan a batch at a time, and answer questions from the plan."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from nas.core.trial import Trial
from nas.strategies.around_front import AroundFront
from nas.strategies.moves import NOT_FIGURES, distinct, without
from nas.strategies.surrogates import Surrogates
from search_spaces.core.population import Population


class Planning(AroundFront):
    """Plans once `batch` further trials were told; a plan is a function of these alone.

    A plan holds more than a batch: evaluations under way are not told yet, and are likely to head it. Whoever asks for
    more gets neighbours of the front and random networks behind it. Until `startup` trials are told, `start()` and
    random ones are proposed. Nothing that was told or does not fit is proposed.
    """

    batch: ClassVar[int] = 5
    startup: ClassVar[int] = 12
    length: ClassVar[int] = 16
    in_order: ClassVar[bool] = True
    """Whether the head of a plan is worth more than its tail; else it is taken at random."""

    _planned: tuple[int, Population] | None = None

    @abstractmethod
    def plan(self, told: Sequence[Trial], rng: np.random.Generator) -> Population:
        """Candidates that fit and are not among `told`, the preferred first."""

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """At most `n` candidates: the plan, then what lies near the front, then random ones."""
        usable = self.usable
        if not usable:
            return self.start().concatenate(self.random(rng, n))[:n]
        if len(usable) < self.startup:
            return self.random(rng, n)
        plan = without(self.planned(), self.seen)
        plan = plan if self.in_order else plan[rng.permutation(len(plan))]
        if len(plan) >= n:
            return plan[:n]
        near = self.near_front(usable, rng, n)
        return distinct(plan.concatenate(near[: max(n // 2, 4)]).concatenate(self.random(rng, n)))[:n]

    def planned(self) -> Population:
        """The plan made from all full batches told."""
        count = len(self.usable) // self.batch * self.batch
        if self._planned is None or self._planned[0] != count:
            rng = np.random.default_rng(count)
            self._planned = count, self.plan(self.usable[:count], rng)
        return self._planned[1]

    def models(self, name: str, told: Sequence[Trial]) -> Surrogates:
        """Models of what is not priced, learnt from `told` with the accuracy predictor of that name."""
        population = self.space.population([trial.architecture for trial in told])
        priced = self.price(population) if self.price else {}
        known = {column: np.asarray(values) for column, values in priced.items() if column not in NOT_FIGURES}
        return Surrogates(name, self.objectives, self.budget, population, told, known)
