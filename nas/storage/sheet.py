"""A CSV file of figures that people measured: its cells, each refused by row and column where it is not what it says.

Row 1 is the header. The target stands in the same five columns of every such file, the figure in one of two. A cell of
the target that is told beside the file takes the place of the column.
"""

import csv
import io
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.core.measured import Target
from nas.storage.files import os_errors_explained, write_atomically
from search_spaces.core.errors import WrongUse, did_you_mean, shown

LATENCY, ENERGY = FIGURES = ("latency_ms", "energy_mj")
OF_TARGET = tuple(Target.__dataclass_fields__)
_LARGEST_FILE_BYTES = 256 << 20
_LARGEST_NUMBER = 1e18  # beyond any network

Row = Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """Names of the columns, and number and cells of every row. `told`: cells of the target that hold for all rows."""

    path: Path
    names: Sequence[str]
    rows: Sequence[tuple[int, Row]]
    told: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, told: Mapping[str, str] | None = None) -> "Sheet":
        """`NotFound` where there is no file; `WrongUse` where it is too large or no CSV. Cells are not looked at."""
        with os_errors_explained(path):
            if path.stat().st_size > _LARGEST_FILE_BYTES:
                raise WrongUse(f"{path} has {path.stat().st_size:,} bytes, which is too much for rows of figures")
            content = path.read_bytes()
        try:
            reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
            names = [name or "" for name in reader.fieldnames or ()]
            rows: list[tuple[int, Row]] = list(enumerate(reader, start=2))
        except (UnicodeDecodeError, csv.Error) as error:
            raise WrongUse(f"{path} is no CSV file ({error}); expected text with commas, its first row names") from None
        return cls(path, names, rows, dict(told or {}))

    @property
    def column(self) -> str:
        """What was measured, and its unit: `latency_ms` or `energy_mj`."""
        return ENERGY if ENERGY in self.names else LATENCY

    def check(self, columns: Sequence[str], needed: Collection[str], hint: Iterable[str] = ()) -> None:
        """`WrongUse` where a column is unknown, stands twice or is missing, or a row has not a cell for each.

        `columns`: all that there may be (either figure); of the target and the figure none is `needed` by name. `hint`:
        further names that somebody may have meant.
        """
        known = (*columns, *FIGURES)
        for name in self.names:
            if name not in known or self.names.count(name) > 1:
                hinted = did_you_mean(name, dict.fromkeys((*known, *hint)))
                why = "there twice" if name in known else f"unknown{hinted}"
                raise WrongUse(f"{self.path}, row 1: the column {shown(name)} is {why}; {_listed(columns)}")
        if set(FIGURES) <= set(self.names):
            raise WrongUse(f"{self.path}, row 1: {' and '.join(FIGURES)} are two things; give each a file of its own")
        missing = [name for name in columns if name in needed and name not in self.names]
        missing += [] if set(FIGURES) & set(self.names) else [LATENCY]
        missing += [name for name in OF_TARGET if name not in self.names and name not in self.told]
        if missing:
            told = "; flags of nas predictor fit may tell the target" if set(missing) <= set(OF_TARGET) else ""
            raise WrongUse(f"{self.path}, row 1: the columns {','.join(missing)} are missing{told}; {_listed(columns)}")
        if not self.rows:
            raise WrongUse(f"{self.path} has no rows; expected one for each figure")
        for number, row in self.rows:
            if None in row or None in row.values():
                raise self.wrong(number, f"it has not {len(self.names)} cells as the header has; quote commas")

    def target(self) -> Target:
        """Whose the figures are; `WrongUse` where rows differ."""
        targets = [self._target(number, {**row, **self.told}) for number, row in self.rows]
        for (number, _), target in zip(self.rows, targets, strict=True):
            if target != targets[0]:
                raise self.wrong(number, f"{target}, while row 2 has {targets[0]}; one file, one target")
        return targets[0]

    def _target(self, number: int, row: Row) -> Target:
        counts = {name: self.number(number, row, name, int) for name in ("threads", "batch")}
        try:
            return Target(row["device"], row["runtime"], row["precision"], counts["threads"] or 0, counts["batch"] or 0)
        except WrongUse as error:
            raise self.wrong(number, str(error)) from None

    def number(self, number: int, row: Row, column: str, kind: Callable[[str], Any] = float) -> Any:
        """A number of 0 or more, of a plausible size; None of an empty cell or a missing column."""
        text = row.get(column, "").strip()
        if not text:
            return None
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= _LARGEST_NUMBER:
            what = "whole number" if kind is int else "number"
            raise self.wrong(number, f"{shown(text)} is no {what} of 0 or more, without a unit", column)
        return value

    def filled(self, number: int, row: Row, column: str, kind: Callable[[str], Any] = float) -> Any:
        """The same; `WrongUse` of an empty cell."""
        value = self.number(number, row, column, kind)
        if value is None:
            raise self.wrong(number, "empty; write a number, or leave the row out", column)
        return value

    def wrong(self, number: int, why: str, column: str = "") -> WrongUse:
        """An error that names the row, and the column."""
        return WrongUse(f"{self.path}, row {number}{f', column {column}' if column else ''}: {why}")


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes the file so that it holds the old rows or the new ones, never a part; cells that a row lacks are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue())


def _listed(columns: Sequence[str]) -> str:
    return f"the columns are {','.join(columns)}"
