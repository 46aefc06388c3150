"""The base of every strategy: it is told trials and asked for candidates, and sees nothing else."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np

from nas.core.budget import Budget
from nas.core.objective import Objective
from nas.core.pareto import Reference
from nas.core.trial import Trial
from search_spaces.core.errors import Infeasible
from search_spaces.core.population import Population
from search_spaces.core.space import Price, SearchSpace


class Strategy(ABC):
    """Proposes architectures from the trials that it was told.

    The contract, which `tests/contracts/test_strategies.py` holds for every file here:

    - `ask` is a pure function of what was told, in the order it was told, and of `rng`. It keeps no count of its
      calls, since a resumed search asks only for the proposals that are missing.
    - `ask` may return fewer than `n` candidates, in canonical form, in order of preference. Candidates may repeat each
      other or earlier trials and may not fit the budget: the caller prices and drops those.
    - `tell` takes trials in order of their number, failed ones too, each once.
    - Nothing here knows of runs, stores, workers or time.

    `trials` is the number of trials of the whole search, for strategies that scale with it. `budget` limits figures
    that are known only after an evaluation; what is known before never reaches a strategy when it breaks a limit.
    `price` gives what is known before; with it a strategy may ask the space for the networks of its own rule. `measure`
    gives what a budget limits and takes seconds a network to know: only a space's rule asks it, what it proposes being
    rare; the caller holds every candidate to those limits anyway. `reference` is the box of the search's hypervolume:
    what lies beyond its worst is worth nothing to whoever searches.
    """

    only_its_own: ClassVar[bool] = False
    """Whether the search ends where it has nothing new to offer; else the rest of the space is tried then."""

    def __init__(
        self,
        space: SearchSpace[Any],
        objectives: Sequence[Objective],
        trials: int,
        budget: Budget | None = None,
        price: Price | None = None,
        measure: Price | None = None,
        reference: Reference | None = None,
    ) -> None:
        if not objectives:
            raise ValueError("a strategy needs at least one objective")
        self.space = space
        self.objectives = tuple(objectives)
        self.trials = trials
        self.budget = budget or Budget()
        self.price = price
        self.measure = measure
        self.reference = reference
        self._told: list[Trial] = []
        self._usable: list[Trial] = []
        self._seen: set[bytes] = set()

    def start(self) -> Population:
        """Where to begin: what the space's own rule gives for the budget, else the space's beginnings."""
        if self.space.has_rule() and self.price is not None:
            with contextlib.suppress(Infeasible):
                return self.space.propose(self.budget.limits, self.price, measure=self.measure)
        return self.space.population(self.space.beginnings())

    @property
    def may_exceed_budget(self) -> bool:
        """Whether candidates beyond the budget are evaluated; they never come onto a front."""
        return False

    @abstractmethod
    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """At most `n` candidates, the preferred first."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learns from finished trials; here they are kept."""
        self._told += trials
        columns = [objective.column for objective in self.objectives]
        self._usable += [t for t in trials if t.state == "complete" and all(c in t.metrics for c in columns)]
        self._seen.update(self.space.population([trial.architecture for trial in trials]).keys())

    @property
    def usable(self) -> Sequence[Trial]:
        """Those told that have a figure for every objective, in order."""
        return self._usable

    @property
    def seen(self) -> Collection[bytes]:
        """Keys of all that was told."""
        return self._seen
