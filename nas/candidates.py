"""The next architecture worth an evaluation: ask, price, drop what does not fit or was seen, measure what must be."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.budget import Budget
from nas.gate import Gate, Halted
from nas.pricing import promised
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
# A measurement takes seconds. So many are spent on what the strategy asks for, and as many on the rest of the space;
# what is known already is not one of them.
MOST_MEASURED = 32
_NOT_METRICS = ("fits", "patches", "split")


@dataclass(frozen=True)
class Found:
    """A candidate that fits and is new.

    `metrics` are its exact and measured figures, `rejected` counts those dropped before it.
    """

    architecture: Architecture
    key: bytes
    metrics: dict[str, float]
    patches: int
    split: int
    rejected: int


@dataclass(frozen=True)
class NothingLeft:
    """No candidate was found. `whole_space` says that every architecture of the space was looked at.

    `nearest`: figures of the one that misses its limits least, measured ones where `is_measured`. `measured`: how many
    were, after all exact limits and beside those that were known.
    """

    candidates: int
    whole_space: bool
    nearest: str
    measured: int = 0
    is_measured: bool = False

    def end(self, found: int) -> str:
        """Why a search that found some architectures ends."""
        if self.whole_space:
            return f"the feasible part of the space is exhausted: {found:,} architectures"
        return f"no further architecture that fits was found in {self._looked_at}"

    def why(self, limits: str) -> str:
        """Why a search never finds one."""
        if self.whole_space:
            what = f"no architecture of this space fits ({limits})."
        else:
            what = f"none found that fits in {self._looked_at} ({limits})."
        nearest = f" The nearest {'reaches' if self.is_measured else 'needs'} {self.nearest}." if self.nearest else ""
        return f"{what}{nearest} Raise the limit, or let the space be smaller with --set."

    @property
    def _looked_at(self) -> str:
        return f"{self.candidates:,} candidates" + (f", {self.measured} of them measured" if self.measured else "")


class Candidates:
    """Finds the candidate of each proposal.

    `price` gives, for a population of n, columns of length n: a bool `fits` (may be missing: then everything that
    `budget` admits fits), `patches`, `split`, and a figure for every other column. A candidate with a NaN or an
    infinity among its figures is dropped. `measure` gives further columns in seconds a network; it is asked one by one,
    and only of candidates within every exact limit, until one is within the limits on these columns as well. Where it
    is halted nothing is found. `budget` limits such columns; limits on other columns are not looked at.

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
        measure: Gate | None = None,
    ) -> None:
        self.space = space
        self.budget = budget or Budget()
        self._price = price
        self._seed = seed
        self._most = most
        self._measure = measure
        self._missed: set[bytes] = set()  # measured, and beyond a limit

    def find(self, number: int, strategy: Strategy, seen: Collection[bytes]) -> Found | NothingLeft:
        """The first candidate of growing rounds that fits and whose key is not in `seen`.

        Where the strategy has none to offer and does not insist on its own, the rest of a small space (at most as many
        genotypes as candidates are tried) is looked through; of a large one, candidates crossed with the smallest
        architecture are tried once.
        """
        tally = _Tally(self.budget)
        try:
            return self._find(number, strategy, seen, tally)
        except Halted:
            return tally.nothing_left(whole_space=False)

    def _find(self, number: int, strategy: Strategy, seen: Collection[bytes], tally: "_Tally") -> Found | NothingLeft:
        for index, size in enumerate(round_sizes(self._most)):
            rng = np.random.default_rng([self._seed, number, index])
            found = self._first(strategy.ask(size, rng), seen, tally, strategy.may_exceed_budget)
            if found is not None:
                return found
            if tally.is_spent:
                break
        if strategy.only_its_own:
            return tally.nothing_left(whole_space=False)
        tally.allow_more()
        last = self._rest(np.random.default_rng([self._seed, number, self._most]))
        found = self._first(last, seen, tally)
        return found or tally.nothing_left(whole_space=self._is_small and not tally.is_spent)

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
        tally: "_Tally",
        may_exceed_budget: bool = False,
    ) -> Found | None:
        keys = asked.keys()
        fresh = np.array([i for i, key in enumerate(keys) if not (key in seen or key in self._missed)], dtype=np.intp)
        looked_at = tally.look_at(len(asked))
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
            tally.nearest.look(figures, finite)
            return None
        for row in np.flatnonzero(admitted):
            architecture, key = asked[int(fresh[row])], keys[fresh[row]]
            measured = self._measured(architecture, key, tally, may_exceed_budget)
            if measured is not None:
                return Found(
                    architecture=architecture,
                    key=key,
                    metrics={column: values[row].item() for column, values in figures.items()} | measured,
                    patches=int(priced["patches"][row]) if "patches" in priced else 1,
                    split=int(priced["split"][row]) if "split" in priced else 0,
                    rejected=looked_at + int(fresh[row]),
                )
        return None

    def _measured(
        self, architecture: Architecture, key: bytes, tally: "_Tally", may_exceed_budget: bool
    ) -> dict[str, float] | None:
        """Its measured figures; None where they break a limit, or no more are spent on this proposal."""
        if self._measure is None:
            return {}
        if key in self._missed or tally.is_spent:
            return None
        is_known = self._measure.knows(architecture)
        columns = self._measure(self.space.population([architecture]))
        tally.measured += not is_known
        finite = all(bool(np.isfinite(values[0])) for values in columns.values())
        limits = self.budget.restricted_to(columns)
        if finite and (may_exceed_budget or not limits or limits.admits(columns)[0]):
            return {column: values[0].item() for column, values in columns.items()}
        self._missed.add(key)
        tally.missed.look(columns, np.array([finite]), architecture.id)
        return None


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


class _Tally:
    """What one proposal has looked at and measured so far."""

    def __init__(self, budget: Budget) -> None:
        self.nearest, self.missed = _Nearest(budget), _Nearest(budget)
        self.measured = 0
        self._looked_at, self._may_measure = 0, MOST_MEASURED

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be measured."""
        return self.measured >= self._may_measure

    def allow_more(self) -> None:
        """As many measurements again, from now on."""
        self._may_measure = self.measured + MOST_MEASURED

    def look_at(self, candidates: int) -> int:
        """Counts them; how many there were before."""
        before, self._looked_at = self._looked_at, self._looked_at + candidates
        return before

    def nothing_left(self, whole_space: bool) -> NothingLeft:
        """The end of it."""
        missed = self.missed.text()
        return NothingLeft(self._looked_at, whole_space, missed or self.nearest.text(), self.measured, bool(missed))


class _Nearest:
    """The candidate that misses the limits by the smallest factor, for the message when nothing fits."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._excess = math.inf
        self._figures: dict[str, float] = {}
        self._whose = ""

    def look(self, figures: Prices, usable: NDArray[np.bool_], whose: str = "") -> None:
        limits = self._budget.restricted_to(figures).limits
        if not limits or not usable.any():
            return
        figures = {column: figures[promised(column, figures)] for column in limits}
        ratios = [np.asarray(figures[column], dtype=np.float64) / limit for column, limit in limits.items()]
        less = [METRIC_OF_COLUMN[column].better == "less" for column in limits]
        with np.errstate(divide="ignore"):
            excess = np.max([r if is_less else 1 / r for r, is_less in zip(ratios, less, strict=True)], axis=0)
        row = int(np.argmin(np.where(usable, excess, np.inf)))
        if excess[row] < self._excess:
            self._excess, self._whose = float(excess[row]), whose
            self._figures = {column: float(figures[column][row]) for column in limits}

    def text(self) -> str:
        """'sram 301,056 B (294 KiB), flash ...', with the network's id where it was given; empty without limits."""
        parts = [
            f"{METRIC_OF_COLUMN[c].key} {format_quantity(METRIC_OF_COLUMN[c], value)}"
            for c, value in self._figures.items()
        ]
        return ", ".join(parts) + (f" (network {self._whose})" if self._whose else "")
