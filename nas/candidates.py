"""The next architecture worth an evaluation: ask, price, drop what does not fit or was seen, take the first left."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.budget import Budget
from nas.strategies.strategy import Strategy
from predictors.core.metric import METRIC_OF_COLUMN, format_quantity
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

Prices = Mapping[str, NDArray[Any]]
Price = Callable[[Population], Prices]

# Most searches find a candidate among the first few; where one in a thousand fits, large rounds cost little more.
FIRST_ROUND = 16
GROWTH = 4
LARGEST_ROUND = 8192
CANDIDATES = 20_000
_NOT_METRICS = ("fits", "patches", "split")


@dataclass(frozen=True)
class Found:
    """A candidate that fits and is new; `metrics` are its exact figures, `rejected` counts those dropped before it."""

    architecture: Architecture
    key: bytes
    metrics: dict[str, float]
    patches: int
    split: int
    rejected: int


@dataclass(frozen=True)
class NothingLeft:
    """No candidate was found. `whole_space` says that every architecture of the space was looked at."""

    candidates: int
    whole_space: bool
    nearest: str


class Candidates:
    """Finds the candidate of each proposal.

    `price` gives, for a population of n, columns of length n: a bool `fits` (may be missing: then everything that
    `budget` admits fits), `patches`, `split`, and a figure for every other column. A candidate with a NaN or an
    infinity among its figures is dropped. `budget` limits priced columns; limits on other columns are not looked at.

    The candidate of proposal `number` depends on the seed, the number, what the strategy was told and what was
    proposed before: nothing else, so that a resumed search finds it again.
    """

    def __init__(
        self,
        space: SearchSpace[Any],
        price: Price,
        budget: Budget | None = None,
        *,
        seed: int = 0,
        most: int = CANDIDATES,
    ) -> None:
        self.space = space
        self.budget = budget or Budget()
        self._price = price
        self._seed = seed
        self._most = most

    def find(self, number: int, strategy: Strategy, seen: Collection[bytes]) -> Found | NothingLeft:
        """The first candidate of growing rounds that fits and whose key is not in `seen`.

        Where the strategy has none to offer and does not insist on its own, the rest of a small space (at most as many
        genotypes as candidates are tried) is looked through; of a large one, candidates crossed with the smallest
        architecture are tried once.
        """
        looked_at = 0
        nearest = _Nearest(self.budget)
        for index, size in enumerate(round_sizes(self._most)):
            rng = np.random.default_rng([self._seed, number, index])
            asked = strategy.ask(size, rng)
            found = self._first(asked, seen, looked_at, nearest, strategy.may_exceed_budget)
            looked_at += len(asked)
            if found is not None:
                return found
        if strategy.only_its_own:
            return NothingLeft(looked_at, False, nearest.text())
        last = self._rest(np.random.default_rng([self._seed, number, self._most]))
        found = self._first(last, seen, looked_at, nearest)
        return found or NothingLeft(looked_at + len(last), self._is_small, nearest.text())

    @property
    def _is_small(self) -> bool:
        return math.prod(len(choice.options) for choice in self.space.choices) <= self._most

    def _rest(self, rng: np.random.Generator) -> Population:
        """The whole of a small space in random order; else samples pulled towards the smallest architecture."""
        if self._is_small:
            return self._everything[rng.permutation(len(self._everything))]
        samples = self.space.sample(rng, LARGEST_ROUND)
        smallest = self.space.population([self.space.extremes()[0]])
        return self.space.crossover(rng, samples, smallest[np.zeros(len(samples), dtype=np.intp)])

    @cached_property
    def _everything(self) -> Population:
        counts = [len(choice.options) for choice in self.space.choices]
        genotypes = np.indices(counts, dtype=np.int16).reshape(len(counts), -1).T
        return Population(self.space, np.unique(self.space.canonical(genotypes), axis=0))

    def _first(
        self,
        asked: Population,
        seen: Collection[bytes],
        looked_at: int,
        nearest: "_Nearest",
        may_exceed_budget: bool = False,
    ) -> Found | None:
        fresh = np.array([row for row, key in enumerate(asked.keys()) if key not in seen], dtype=np.intp)
        if not len(fresh):
            return None
        priced = self._price(asked[fresh])
        figures = {column: values for column, values in priced.items() if column not in _NOT_METRICS}
        finite = np.all([np.isfinite(values) for values in figures.values()] or [np.ones(len(fresh), bool)], axis=0)
        limits = self.budget.restricted_to(figures)
        admitted = finite.copy()
        if not may_exceed_budget:
            admitted &= np.asarray(priced.get("fits", finite), dtype=bool)
            admitted &= limits.admits(figures) if limits else True
        if not admitted.any():
            nearest.look(figures, finite)
            return None
        row = int(np.argmax(admitted))
        return Found(
            architecture=asked[int(fresh[row])],
            key=asked.keys()[fresh[row]],
            metrics={column: values[row].item() for column, values in figures.items()},
            patches=int(priced["patches"][row]) if "patches" in priced else 1,
            split=int(priced["split"][row]) if "split" in priced else 0,
            rejected=looked_at + int(fresh[row]),
        )


def round_sizes(most: int) -> Iterator[int]:
    """Sizes of the rounds, growing, `most` together.

    >>> list(round_sizes(2000))
    [16, 64, 256, 1024, 640]
    """
    size, left = FIRST_ROUND, most
    while left > 0:
        yield min(size, left)
        left -= size
        size = min(size * GROWTH, LARGEST_ROUND)


class _Nearest:
    """The candidate that misses the limits by the smallest factor, for the message when nothing fits."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._excess = math.inf
        self._figures: dict[str, float] = {}

    def look(self, figures: Prices, usable: NDArray[np.bool_]) -> None:
        limits = self._budget.restricted_to(figures).limits
        if not limits or not usable.any():
            return
        ratios = [np.asarray(figures[column], dtype=np.float64) / limit for column, limit in limits.items()]
        less = [METRIC_OF_COLUMN[column].better == "less" for column in limits]
        with np.errstate(divide="ignore"):
            excess = np.max([r if is_less else 1 / r for r, is_less in zip(ratios, less, strict=True)], axis=0)
        row = int(np.argmin(np.where(usable, excess, np.inf)))
        if excess[row] < self._excess:
            self._excess = float(excess[row])
            self._figures = {column: float(figures[column][row]) for column in limits}

    def text(self) -> str:
        """'sram 301,056 B (294 KiB), flash ...', or nothing where no limit was looked at."""
        parts = [
            f"{METRIC_OF_COLUMN[c].key} {format_quantity(METRIC_OF_COLUMN[c], value)}"
            for c, value in self._figures.items()
        ]
        return ", ".join(parts)
