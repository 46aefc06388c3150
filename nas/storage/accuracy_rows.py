"""Networks of one space whose accuracy is known, with what zero-cost proxies say of them, as a CSV file.

One row a network. `architecture` is its canonical JSON, which holds the space, all its settings and the input; `id` and
`space` repeat what people look for and may be missing. `top1` is the accuracy, a fraction. A column of a proxy's name
holds its scores, empty where it has none. Numbers are written so that the same ones are read.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.storage.csv_table import Row, read_architectures, read_number, read_table
from nas.storage.files import write_atomically
from predictors.zero_cost import zero_cost_names
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse, shown

Floats = NDArray[np.float64]

_OF_NETWORK = ("id", "space", "architecture", "top1")


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
        text = io.StringIO()
        writer = csv.DictWriter(text, [*_OF_NETWORK, *self.proxies], lineterminator="\n")
        writer.writeheader()
        for row, one in enumerate(self.architectures):
            cells: dict[str, Any] = {"id": one.id, "space": one.space, "architecture": one.to_json()}
            cells["top1"] = repr(float(self.top1[row]))
            scores = {name: float(values[row]) for name, values in self.proxies.items()}
            writer.writerow(cells | {n: repr(score) if math.isfinite(score) else "" for n, score in scores.items()})
        write_atomically(path, text.getvalue())

    @classmethod
    def read(cls, path: Path) -> "AccuracyRows":
        """`NotFound` where there is no file; `WrongUse`, with row and column, where a cell is not what it should be."""
        rows = read_table(path, [*_OF_NETWORK, *zero_cost_names()], ["architecture", "top1"])
        networks = read_architectures(path, rows)
        names = [name for name in zero_cost_names() if name in rows[0][1]]
        scores = {name: _scores(path, rows, name) for name in names}
        try:
            return cls(tuple(networks), np.array([_accuracy(path, *row) for row in rows]), scores)
        except WrongUse as error:
            raise WrongUse(str(error) if str(path) in str(error) else f"{path}: {error}") from None


def _accuracy(path: Path, number: int, row: Row) -> float:
    value = read_number(path, number, row, "top1")
    if value is None:
        raise WrongUse(f"{path}, row {number}, column top1: empty; measure this network, or leave the row out")
    if value > 1:
        raise WrongUse(
            f"{path}, row {number}, column top1: {shown(row['top1'])} is no fraction from 0 to 1; divide percentages "
            "by 100"
        )
    return float(value)


def _scores(path: Path, rows: Sequence[tuple[int, Row]], name: str) -> Floats:
    found = [read_number(path, number, row, name, least=None) for number, row in rows]
    return np.array([math.nan if score is None else score for score in found])
