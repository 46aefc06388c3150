"""Which trials somebody knows already, as the text of a cursor.

A cursor says it all: it holds after a restart of the service, and a trial that is recorded after one with a higher
number is still told.
"""

import re

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.errors import WrongUse, shown

_MOST_CHARACTERS = 4000
_RANGES = r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*"


def to_cursor(numbers: NDArray[np.int64]) -> str:
    """Numbers, ascending, as their runs; empty for none.

    >>> to_cursor(np.asarray([0, 1, 2, 3, 5, 8, 9]))
    '0-3,5,8-9'
    """
    if not len(numbers):
        return ""
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    firsts, lasts = numbers[np.append(0, breaks + 1)].tolist(), numbers[np.append(breaks, len(numbers) - 1)].tolist()
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(firsts, lasts, strict=True))


def unseen(cursor: str, numbers: NDArray[np.int64]) -> NDArray[np.intp]:
    """The places of `numbers`, ascending, that a cursor does not hold; all of them for an empty one.

    `WrongUse` for a text that is no cursor.
    """
    if not cursor:
        return np.arange(len(numbers))
    if len(cursor) > _MOST_CHARACTERS or not re.fullmatch(_RANGES, cursor):
        raise WrongUse(f"{shown(cursor)} is no cursor; give one that an answer held, or none for all trials")
    ends = [part.partition("-") for part in cursor.split(",")]
    firsts = np.asarray([int(first) for first, _, _ in ends])
    lasts = np.asarray([int(last or first) for first, _, last in ends])
    place = np.searchsorted(firsts, numbers, side="right") - 1
    known = (place >= 0) & (numbers <= lasts[np.maximum(place, 0)])
    return np.flatnonzero(~known)
