"""Networks of one space whose accuracy is known, with what zero-cost proxies say of them, as a CSV file.

One row a network. `architecture` is its canonical JSON, which holds the space, all its settings and the input; `id` and
`space` repeat what people look for and may be missing. `top1` is the accuracy, a fraction. A column of a proxy's name
holds its scores, empty where it has none. Numbers are written so that the same ones are read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.storage.sheet import ARCHITECTURE, Row, Sheet, write_sheet
from predictors.zero_cost import zero_cost_names
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse, shown

Floats = NDArray[np.float64]

_OF_NETWORK = ("id", "space", ARCHITECTURE, "top1")


@dataclass(frozen=True)
class AccuracyRows:
    """Architectures, each once, their accuracy `(n,)` as a fraction, and scores `(n,)` by proxy, NaN for none.

    `WrongUse` where they are of more than one space, or of one with more than one kind of settings.
    """

    architectures: tuple[Architecture, ...]
    top1: Floats
    proxies: Mapping[str, Floats]

    def __post_init__(self) -> None:
        first = self.architectures[0]
        for row, architecture in enumerate(self.architectures, start=2):
            if (architecture.space, architecture.settings) != (first.space, first.settings):
                what = "other settings" if architecture.space == first.space else f"the space '{architecture.space}'"
                raise WrongUse(
                    f"network {architecture.id} (row {row}) is of {what}, while {first.id} is of '{first.space}'; an "
                    "accuracy is learnt from networks of one space, for one input"
                )

    def with_proxies(self, names: Sequence[str]) -> "AccuracyRows":
        """The same with these proxies alone, in this order; `WrongUse` where one has no column."""
        missing = [name for name in names if name not in self.proxies]
        if missing:
            raise WrongUse(f"there is no column {missing[0]} of a zero-cost proxy's scores")
        return AccuracyRows(self.architectures, self.top1, {name: self.proxies[name] for name in names})

    def write(self, path: Path) -> None:
        """Writes the file so that it holds the old rows or the new ones, never a part."""
        rows = []
        for row, one in enumerate(self.architectures):
            scores = {name: float(values[row]) for name, values in self.proxies.items()}
            cells = {name: repr(score) for name, score in scores.items() if math.isfinite(score)}
            named = {"id": one.id, "space": one.space, ARCHITECTURE: one.to_json(), "top1": repr(float(self.top1[row]))}
            rows.append(named | cells)
        write_sheet(path, [*_OF_NETWORK, *self.proxies], rows)

    @classmethod
    def read(cls, path: Path) -> "AccuracyRows":
        """`NotFound` where there is no file; `WrongUse`, with row and column, where a cell is not what it should be."""
        sheet = Sheet.read(path)
        sheet.check_without_target([*_OF_NETWORK, *zero_cost_names()], [ARCHITECTURE, "top1"])
        top1 = np.array([_accuracy(sheet, number, row) for number, row in sheet.rows])
        scores = {name: _scores(sheet, name) for name in zero_cost_names() if name in sheet.names}
        networks = sheet.architectures()
        try:
            return cls(networks, top1, scores)
        except WrongUse as error:
            raise WrongUse(f"{path}: {error}") from None


def _accuracy(sheet: Sheet, number: int, row: Row) -> float:
    value = sheet.number(number, row, "top1")
    if value is None:
        raise sheet.wrong(number, "empty; measure this network, or leave the row out", "top1")
    if value > 1:
        raise sheet.wrong(number, f"{shown(row['top1'])} is no fraction from 0 to 1; divide percentages by 100", "top1")
    return float(value)


def _scores(sheet: Sheet, name: str) -> Floats:
    found = [sheet.number(number, row, name, signed=True) for number, row in sheet.rows]
    return np.array([math.nan if score is None else score for score in found])
