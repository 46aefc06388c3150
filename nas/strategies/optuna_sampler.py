"""Optuna's samplers as strategies; the one file of the search that knows Optuna.

Optuna (Akiba, Sano, Yanase, Ohta, Koyama: KDD 2019) keeps a study, and its samplers random numbers and caches. Here
both are made from what a strategy is allowed to know:

- the study holds the told trials, in order. What was asked for in between is told as failed, which samplers ignore;
  once there is more of that than of trials, the study is made anew.
- a sampler lives for one question and is seeded from its random numbers.
"""

import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.core.trial import Trial
from nas.strategies.moves import distinct, neighbourhood, new_samples, violations, within_limits, without
from nas.strategies.strategy import Strategy
from search_spaces.core.choice import Choice
from search_spaces.core.population import Population

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

_SEEDS = 2**31
_MOST_FAILED = 200  # before a study is made anew, whatever its size


class OptunaStrategy(Strategy):
    """A sampler of Optuna, which a subclass names with `sampler`.

    Choices whose options are numbers are integers (the place of the option, so that what lies between is near), others
    categories. The first trials are `start()` and random. Limits on measured figures are Optuna's constraints: how much
    of the limit a trial is beyond it; what is feasible comes first, then what violates less. A sampler knows neither
    prices nor duplicates: what does not fit or was told is replaced by its neighbours.
    """

    startup: ClassVar[int] = 12
    """Trials, random but for `start()`, before the sampler is asked."""
    draws: ClassVar[int] = 3
    """Most candidates of one question that come from the sampler itself; the rest lies around them."""

    _study: "optuna.Study | None" = None
    _added, _failed = 0, 0
    _storage: Any = None

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """A new sampler."""
        raise NotImplementedError

    def generation(self, place: int) -> dict[str, Any]:
        """What Optuna keeps with the usable trial told at `place`, for samplers that count generations."""
        return {}

    def told_generation(self, told: int) -> None:
        """Called after every trial told, for samplers that choose parents once a generation."""

    def reopened(self) -> "optuna.Study":
        """The study without what Optuna remembers of its trials between questions."""
        import optuna

        assert self._study is not None
        return optuna.load_study(study_name=self._study.study_name, storage=self._storage)

    def ask(self, n: int, rng: np.random.Generator) -> Population:
        """At most `n` candidates, those of the sampler first."""
        usable, seen = self.usable, self.seen
        if not usable:
            return self.start().concatenate(self.space.sample(rng, n))[:n]
        if len(usable) < self.startup:
            return new_samples(self.space, rng, n, self.price, self.budget, seen)
        drawn = self.space.population([])
        for _ in range(min(n, self.draws)):
            drawn = drawn.concatenate(Population(self.space, self._draw(int(rng.integers(_SEEDS)))))
        drawn = distinct(drawn)
        fresh, _ = within_limits(without(drawn, seen), self.price, self.budget)
        near = without(neighbourhood(self.space, drawn[: max(n // 8, 1)]), seen)
        near, _ = within_limits(near[rng.permutation(len(near))], self.price, self.budget)
        others = self.space.sample(rng, n)
        return distinct(fresh.concatenate(near[: max(n // 2, 8)]).concatenate(others))[:n]

    def _draw(self, seed: int) -> np.ndarray[Any, Any]:
        """One row `(1, choices)` of the sampler."""
        import optuna

        study = self._filled()
        study.sampler = self.sampler(seed)
        trial = study.ask({choice.name: _distribution(choice) for choice in self.space.choices})
        row = [trial.params[choice.name] for choice in self.space.choices]
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self._failed += 1
        return self.space.canonical(np.array([row], dtype=np.int16))

    def _filled(self) -> "optuna.Study":
        """The study of what was told."""
        import optuna

        usable = self.usable
        if self._study is None or self._failed > max(_MOST_FAILED, self._added):
            logging.getLogger("optuna").setLevel(logging.WARNING)  # it tells every trial otherwise
            directions: list[Any] = ["minimize" if each.minimise else "maximize" for each in self.objectives]
            self._storage = optuna.storages.InMemoryStorage()
            self._study = optuna.create_study(directions=directions, storage=self._storage)
            self._added = self._failed = 0
        rows = self.space.population([trial.architecture for trial in usable[self._added :]]).matrix
        for trial, row in zip(usable[self._added :], rows, strict=True):
            self._study.add_trial(self._frozen(trial, row.tolist()))
            self._added += 1
            self.told_generation(self._added)
        return self._study

    def _frozen(self, trial: Trial, row: Sequence[int]) -> "optuna.trial.FrozenTrial":
        import optuna

        return optuna.trial.create_trial(
            params={choice.name: index for choice, index in zip(self.space.choices, row, strict=True)},
            distributions={choice.name: _distribution(choice) for choice in self.space.choices},
            values=[trial.metrics[objective.column] for objective in self.objectives],
            constraints=violations(self.budget, trial),
            system_attrs=self.generation(self._added),
        )


class GeneticStrategy(OptunaStrategy):
    """A genetic sampler: every twenty trials told are a generation, whose parents are chosen once, when it is full."""

    population: ClassVar[int] = 20
    startup: ClassVar[int] = 20
    draws: ClassVar[int] = 6

    def generation(self, place: int) -> dict[str, Any]:
        """The trial's generation, by its place."""
        return {self._genetic(0)._get_generation_key(): place // self.population}

    def told_generation(self, told: int) -> None:
        """Parents of the next generation, chosen with random numbers of their own and kept in the study."""
        if told % self.population == 0:
            self._genetic(told).get_parent_population(self.reopened(), told // self.population)

    def _genetic(self, seed: int) -> Any:
        return self.sampler(seed)


def _distribution(choice: Choice) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, IntDistribution

    count = len(choice.options)
    if any(isinstance(option, str) for option in choice.options):
        return CategoricalDistribution(tuple(range(count)))
    return IntDistribution(0, count - 1)


def make_quietly(kind: str, **options: Any) -> Any:
    """A sampler by its name in `optuna.samplers`, without the warning that an option is experimental."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return getattr(optuna.samplers, kind)(**options)
