"""Limits by column as a space's rule holds them, and how it finds the first network within them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.errors import Infeasible

# Of these more is better, so that a limit is a floor; every other limit is a ceiling.
FLOORS = frozenset({"top1", "int8_top1", "images_per_second", "zero_cost"})


class NoneWithin(Infeasible):
    """No network of a space's rule is within the limits.

    `figures`: by column and by who has them, such as "the smallest network"; told are the limits on these columns. The
    text here names columns, as a space knows them; `told` gives the same in other words.
    """

    def __init__(
        self, what: str, limits: Mapping[str, float], figures: Mapping[str, Mapping[str, float]], way_out: str
    ) -> None:
        self.what, self.way_out = what, way_out
        self.limits = {column: limit for column, limit in limits.items() if column in figures}
        self.figures = figures
        super().__init__(self.told(self._plain))

    def told(self, words: Callable[[str, Mapping[str, float]], str]) -> str:
        """The message; `words` puts the limit of a column beside its figures."""
        return f"{self.what}: {'; '.join(words(c, self.figures[c]) for c in self.limits)}; {self.way_out}"

    def _plain(self, column: str, figures: Mapping[str, float]) -> str:
        sign = ">=" if column in FLOORS else "<="
        have = " and ".join(f"{who} has {shown(figure)}" for who, figure in figures.items())
        return f"{column} {sign} {shown(self.limits[column])}, while {have}"


def within(columns: Mapping[str, NDArray[Any]], limits: Mapping[str, float]) -> NDArray[np.bool_]:
    """Which rows are within the limits on these columns, bool `(n,)`; limits on other columns are not looked at."""
    inside = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for column in limits.keys() & columns.keys():
        inside &= columns[column] >= limits[column] if column in FLOORS else columns[column] <= limits[column]
    return inside


def shown(figure: float) -> str:
    """A figure of any column beside another: whole numbers in full, small ones with four digits.

    >>> shown(99_536_432), shown(17.6012)
    ('99,536,432', '17.6')
    """
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"


def between(start: float, end: float, share: float) -> float:
    """A limit on the way from a figure to the limit at the end, in equal ratios.

    >>> between(100.0, 1.0, 0.5), between(5.0, 20.0, 0.5)
    (10.0, 10.0)
    """
    ratio: float = (end / start) ** share
    return start * ratio


def first_within(count: int, is_within: Callable[[int], bool]) -> int:
    """The first of `count` positions that is within, found by halving, where those behind it are too.

    As many as there are where not even the last one is. Where it does not hold that those behind are within, another
    position that is within may be given.

    >>> first_within(10, lambda position: position >= 7)
    7
    """
    if not (count and is_within(count - 1)):
        return count
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_within(middle) else (middle + 1, high)
    return high
