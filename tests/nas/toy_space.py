"""A small space with a known optimum and known costs, and evaluators for it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from search_spaces.core.architecture import Architecture
from search_spaces.core.choice import Choice
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.population import Population
from search_spaces.core.space import Blueprint, SearchSpace


class ToySettings(BaseModel):
    """Number of choices and options of each."""

    choices: int = 8
    options: int = 4


class ToySpace(SearchSpace[ToySettings]):
    """Options 0, 1, ... a choice. Cost of an architecture: 1,000 + 100 x the sum of its options.

    Accuracy: the mean of options / (options - 1), less 0.5 x the share of choices equal to the one before; so the
    largest is not the best, and neighbours matter.
    """

    name = "toy"
    title = "toy"
    source = "tests"

    def __init__(self, settings: ToySettings | None = None) -> None:
        self.settings = settings or ToySettings()
        options = tuple(range(self.settings.options))
        self.choices = tuple(Choice(f"c{index:02d}", options) for index in range(self.settings.choices))

    @classmethod
    def configured(cls, options: Mapping[str, str], facts: InputFacts | None = None) -> "ToySpace":  # noqa: ARG003
        return cls(ToySettings(**{name: int(value) for name, value in options.items()}))

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> "ToySpace":
        return cls(ToySettings(**settings))

    def decode(self, population: Population) -> Any:
        raise NotImplementedError

    def blueprint(self, architecture: Architecture) -> Blueprint:
        """Nothing that can be built, but each architecture has its own."""
        return Blueprint("tests.nas.toy_space", "none", dict(architecture.options))

    def input_size(self, architecture: Architecture) -> tuple[int, int, int]:
        return 1, 8, 8


class ToySpaceWithRule(ToySpace):
    """Its rule: what differs by one choice from the best so far; the extremes where nothing was measured."""

    def propose(
        self,
        limits: Mapping[str, float],
        price: Any,
        told: Sequence[tuple[Architecture, float]] = (),
        rng: np.random.Generator | None = None,
        trials: int = 0,
        measure: Any = None,
    ) -> Population:
        if not told:
            return self.population(self.extremes())
        return self.neighbours(max(told, key=lambda pair: pair[1])[0])


def accuracy(matrix: NDArray[np.integer[Any]], options: int) -> NDArray[np.float64]:
    """Known accuracy `(n,)` of rows `(n, choices)`."""
    repeats = (matrix[:, 1:] == matrix[:, :-1]).mean(axis=1)
    return np.asarray(matrix.mean(axis=1) / (options - 1) - 0.5 * repeats, dtype=np.float64)


def macs(population: Population) -> NDArray[np.int64]:
    """Known cost `(n,)`."""
    return np.asarray(1000 + 100 * population.matrix.sum(axis=1, dtype=np.int64))


class Price:
    """Prices of a toy population under a limit on MACs; counts what it was asked."""

    def __init__(self, limit: float = np.inf) -> None:
        self.limit = limit
        self.priced = 0

    def __call__(self, population: Population) -> dict[str, NDArray[Any]]:
        self.priced += len(population)
        costs = macs(population)
        ones = np.ones(len(population), dtype=np.int64)
        return {"macs": costs, "params": costs * 2, "fits": costs <= self.limit, "patches": ones, "split": 0 * ones}


class ToyEvaluator:
    """Knows the accuracy; `seconds` of work on the processor each, and `offsets` added to it (a large array)."""

    def __init__(self, seconds: float = 0.0, offsets: NDArray[np.float64] | None = None) -> None:
        self.seconds = seconds
        self.offsets = offsets

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        end = time.perf_counter() + self.seconds
        while time.perf_counter() < end:
            np.linalg.svd(np.ones((30, 30)))
        space = ToySpace.restored(architecture.settings)
        row = space.population([architecture]).matrix
        extra = 0.0 if self.offsets is None else float(self.offsets[int(row.sum())])
        return {"top1": float(accuracy(row, space.settings.options)[0]) + extra}
