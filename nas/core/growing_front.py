"""A Pareto front that trials join one after the other, and its hypervolume on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.core.budget import Budget
from nas.core.objective import Objective, oriented_table
from nas.core.pareto import Reference, in_box, knee_of, volume

MOST_VOLUMES = 400  # of a front of hundreds in five dimensions each volume takes a moment
_AT_ONCE = 256


@dataclass(frozen=True)
class _Change:
    """Trial `number` joined; the members at `places` left, with these numbers and rows."""

    number: int
    places: NDArray[np.intp]
    numbers: NDArray[np.int64]
    rows: NDArray[np.float64]


class GrowingFront:
    """The front after each trial, in the order of their numbers, whatever the order in which they are added.

    A trial that is dominated stays so, and of equal ones the first stays: what `ParetoFront` finds of all trials at
    once is what is found here step by step, hypervolumes to the last bit. A trial that is added late, below numbers
    that were added before, takes the front back to where it belongs, and what came after it is gone through again.

    Of at most 400 changes every hypervolume is computed, of more every second, of more than 800 every fourth, and so
    on; the latest always is.
    """

    def __init__(self, objectives: Sequence[Objective], reference: Reference) -> None:
        self._objectives = tuple(objectives)
        self._reference = reference
        width = 2 * len(self._objectives)
        # Of each trial that may join: its values so that less is better, beside those scaled to the box.
        self._seen = np.empty(0, dtype=np.int64)
        self._seen_rows = np.empty((0, width))
        self._members = np.empty(0, dtype=np.int64)
        self._rows = np.empty((0, width))
        self._changes: list[_Change] = []
        self._volumes: list[tuple[int, float]] = []
        self._every = 1

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The members' numbers, sorted as in `ParetoFront`: best first objective first, ties by the next ones."""
        return self._members[self._order()]

    @property
    def knee(self) -> int | None:
        """The number of the best compromise, as `ParetoFront.knee`; None without members."""
        order = self._order()
        return int(self._members[order[knee_of(self._rows[order, : len(self._objectives)])]]) if len(order) else None

    @property
    def hypervolume(self) -> float:
        """The share of the reference box that the front dominates; 0 without members."""
        return self.steps()[-1][1] if self._changes else 0.0

    def steps(self) -> list[tuple[int, float]]:
        """(number, hypervolume) after changes of the front, at most 401; the latest is among them."""
        if not self._changes:
            return []
        latest = len(self._changes) - 1
        if not self._volumes or self._volumes[-1][0] != latest:
            self._volumes.append((latest, self._volume()))
        return [(self._changes[place].number, found) for place, found in self._volumes]

    def add(self, numbers: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Adds trials: their numbers `(n,)`, each new, and raw objective values `(n, objectives)`.

        Only those that may join: complete, finite, within the budget. `ValueError` for a number that was added before.
        """
        if not len(numbers):
            return
        everyone = np.concatenate([self._seen, numbers])
        order = np.argsort(everyone, kind="stable")
        if (np.diff(everyone[order]) == 0).any():
            raise ValueError("a trial was added to the front twice")
        scaled = in_box(values, self._reference, self._objectives)
        rows = np.hstack([oriented_table(values, self._objectives), scaled])
        self._seen, self._seen_rows = everyone[order], np.concatenate([self._seen_rows, rows])[order]
        first = self._rewound(int(numbers.min()))
        for start in range(first, len(self._seen), _AT_ONCE):
            self._go_through(start, min(start + _AT_ONCE, len(self._seen)))

    def _go_through(self, start: int, end: int) -> None:
        """Those seen from `start` on; whom today's members dominate is dropped at once."""
        points = self._seen_rows[start:end, : len(self._objectives)]
        mine = self._rows[:, : len(self._objectives)]
        beaten = np.any(np.all(mine[None] <= points[:, None], axis=2), axis=1)
        for place in (start + np.flatnonzero(~beaten)).tolist():
            self._join(int(self._seen[place]), self._seen_rows[place])

    def _join(self, number: int, row: NDArray[np.float64]) -> None:
        width = len(self._objectives)
        mine, point = self._rows[:, :width], row[:width]
        if bool((mine <= point).all(axis=1).any()):
            return
        leaving = np.flatnonzero((point <= mine).all(axis=1))
        self._changes.append(_Change(number, leaving, self._members[leaving], self._rows[leaving]))
        self._members = np.append(np.delete(self._members, leaving), number)
        self._rows = np.vstack([np.delete(self._rows, leaving, axis=0), row])
        self._keep_volume(len(self._changes) - 1)

    def _keep_volume(self, place: int) -> None:
        if self._volumes and self._volumes[-1][0] % self._every:
            self._volumes.pop()  # it was the latest
        if place % self._every:
            return
        self._volumes.append((place, self._volume()))
        if len(self._volumes) > MOST_VOLUMES:
            self._every *= 2
            self._volumes = [(at, found) for at, found in self._volumes if at % self._every == 0]

    def _rewound(self, number: int) -> int:
        """Takes back every change from `number` on; the place among those seen from which to go on."""
        while self._changes and self._changes[-1].number >= number:
            change = self._changes.pop()
            places = change.places - np.arange(len(change.places))
            self._members = np.insert(self._members[:-1], places, change.numbers)
            self._rows = np.insert(self._rows[:-1], places, change.rows, axis=0)
        count = len(self._changes)
        if self._every > 1 and count <= MOST_VOLUMES * self._every // 2:
            self._forget()  # so few changes have more of their volumes computed
            return 0
        self._volumes = [(place, found) for place, found in self._volumes if place < count]
        return int(np.searchsorted(self._seen, number))

    def _forget(self) -> None:
        self._members, self._rows = self._members[:0], self._rows[:0]
        self._changes, self._volumes, self._every = [], [], 1

    def _order(self) -> NDArray[np.intp]:
        return np.lexsort(self._rows[:, : len(self._objectives)].T[::-1])

    def _volume(self) -> float:
        return volume(self._rows[self._order(), len(self._objectives) :])


def may_join(
    column: Callable[[str], NDArray[np.float64]],
    complete: NDArray[np.bool_],
    objectives: Sequence[Objective],
    budget: Budget,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Of n trials their raw objective values `(n, objectives)`, who is within the budget `(n,)`, and who may join.

    `column` gives a metric of all of them, NaN where one lacks it; `complete` `(n,)` tells who was evaluated.
    """
    values = np.stack([column(objective.column) for objective in objectives], axis=1)
    limited = {name: column(name) for name in budget.limits}
    within = budget.admits(limited) if limited and len(complete) else np.ones(len(complete), dtype=np.bool_)
    return values, within, complete & within & np.isfinite(values).all(axis=1)
