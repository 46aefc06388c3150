"""The second gate of a search: figures that take long, asked only of what is within every exact limit.

A measurement on this machine fills it (`nas/evaluation/host_speed.py`). So does anything else that gives columns of a
population and can say whose figures they are, such as a predictor of another device.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.trial import Trial
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population
from search_spaces.core.space import Price, SearchSpace


@dataclass(frozen=True)
class Gate:
    """Slow figures of a population, each network asked once.

    `ask` gives an array `(n,)` a column: those of `whose`, and others that say how they came about. `whose` tells by
    column whose figure it is, for people. `repeatable`: the same network has the same figure in every run.
    """

    space: SearchSpace[Any]
    ask: Price
    whose: Mapping[str, str]
    repeatable: bool
    known: dict[str, dict[str, float]] = field(default_factory=dict, repr=False)

    def __call__(self, population: Population) -> dict[str, NDArray[np.float64]]:
        """One array `(n,)` a column; of networks that are known nothing is asked."""
        networks = [self._network(architecture) for architecture in population]
        unknown = {network: row for row, network in enumerate(networks) if network not in self.known}
        if unknown:
            asked = self.ask(population[np.array(list(unknown.values()), dtype=np.intp)])
            for row, network in enumerate(unknown):
                self.known[network] = {column: float(values[row]) for column, values in asked.items()}
        columns = self.known[networks[0]] if networks else self.whose
        return {column: np.array([self.known[network][column] for network in networks]) for column in columns}

    def remember(self, trials: Iterable[Trial]) -> None:
        """Figures of recorded trials hold: their networks are not asked again."""
        for trial in trials:
            if all(column in trial.metrics for column in self.whose):
                figures = {column: value for column, value in trial.metrics.items() if self._is_its_own(column)}
                self.known.setdefault(self._network(trial.architecture), figures)

    def _is_its_own(self, column: str) -> bool:
        return any(column.startswith(own) for own in self.whose)

    def _network(self, architecture: Architecture) -> str:
        # two genotypes of one network, such as those that differ in a training recipe alone, are equally fast
        blueprint = self.space.blueprint(architecture)
        return json.dumps([blueprint.module, blueprint.factory, blueprint.arguments], sort_keys=True)
