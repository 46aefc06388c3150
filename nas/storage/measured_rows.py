"""What whole networks take, as a CSV file: the one that `nas profile` writes, or of somebody's own board.

One row a network. `architecture` is its canonical JSON, which holds the space, all its settings and the input; `id` and
`space` repeat what people look for. `latency_ms` is the time of one batch (in its place `energy_mj`: the energy), empty
where nobody has measured yet; the columns behind it may be empty as well. The last five name the target and are the
same in every row.
"""

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.core.measured import Measured, Target
from nas.storage.files import os_errors_explained, write_atomically
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse, did_you_mean, shown

_OF_NETWORK = ("id", "space", "architecture")
LATENCY, ENERGY = FIGURES = ("latency_ms", "energy_mj")
_OF_FIGURE = ("spread", "drift", "passes", "runs")
_OF_TARGET = tuple(Target.__dataclass_fields__)
COLUMNS = (*_OF_NETWORK, LATENCY, *_OF_FIGURE, *_OF_TARGET)
_NEEDED = ("architecture", *_OF_TARGET)
_LARGEST_FILE_BYTES = 256 << 20


@dataclass(frozen=True)
class MeasuredRows:
    """Networks of one target, in the order of the file, each once; None: not measured yet.

    `column` says what was measured, and its unit.
    """

    target: Target
    architectures: tuple[Architecture, ...]
    figures: tuple[Measured | None, ...]
    column: str = LATENCY

    def write(self, path: Path) -> None:
        """Writes the file so that it holds the old rows or the new ones, never a part."""
        text = io.StringIO()
        columns = [self.column if column == LATENCY else column for column in COLUMNS]
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        for architecture, figure in zip(self.architectures, self.figures, strict=True):
            named = {"id": architecture.id, "space": architecture.space, "architecture": architecture.to_json()}
            writer.writerow(named | _cells(self.column, figure) | asdict(self.target))
        write_atomically(path, text.getvalue())

    @classmethod
    def read(cls, path: Path) -> "MeasuredRows":
        """`NotFound` where there is no file; `WrongUse`, naming row and column, where a cell is not what it should be.

        Row 1 is the header. Columns may stand in any order; those about passes, `id` and `space` may be missing.
        """
        rows = _table(path)
        targets = [_target(path, number, row) for number, row in rows]
        for (number, _), target in zip(rows, targets, strict=True):
            if target != targets[0]:
                raise WrongUse(f"{path}, row {number}: {target}, while row 2 has {targets[0]}; one file, one target")
        networks = [_architecture(path, number, row) for number, row in rows]
        first: dict[str, int] = {}
        for (number, _), network in zip(rows, networks, strict=True):
            if network.id in first:
                raise WrongUse(
                    f"{path}, row {number}: the network {network.id} stands in row {first[network.id]} as well; keep "
                    "one of them"
                )
            first[network.id] = number
        column = ENERGY if ENERGY in rows[0][1] else LATENCY
        figures = tuple(_figure(path, number, row, column) for number, row in rows)
        return cls(targets[0], tuple(networks), figures, column)


def _cells(column: str, figure: Measured | None) -> dict[str, Any]:
    if figure is None:
        return {}
    known = {column: figure.value} | {name: getattr(figure, name) for name in _OF_FIGURE}
    shares = ("spread", "drift")
    return {
        name: "" if value is None else f"{value:.4f}" if name in shares else f"{value:.6g}"
        for name, value in known.items()
    }


def _table(path: Path) -> list[tuple[int, Mapping[str, str]]]:
    """Number and cells of every row."""
    with os_errors_explained(path):
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise WrongUse(f"{path} has {path.stat().st_size:,} bytes, which is too much for a row a network")
        content = path.read_bytes()
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        names = [name or "" for name in reader.fieldnames or ()]
        rows: list[tuple[int, Mapping[str, str]]] = list(enumerate(reader, start=2))
    except (UnicodeDecodeError, csv.Error) as error:
        raise WrongUse(f"{path} is no CSV file ({error}); its columns are {','.join(COLUMNS)}") from None
    for name in names:
        if name not in (*COLUMNS, ENERGY) or names.count(name) > 1:
            why = f"unknown{did_you_mean(name, COLUMNS)}" if name not in (*COLUMNS, ENERGY) else "there twice"
            raise WrongUse(f"{path}, row 1: the column {shown(name)} is {why}; the columns are {','.join(COLUMNS)}")
    if set(FIGURES) <= set(names):
        raise WrongUse(f"{path}, row 1: {' and '.join(FIGURES)} are two things; give each a file of its own")
    missing = [name for name in _NEEDED if name not in names]
    missing += [] if set(FIGURES) & set(names) else [LATENCY]
    if missing:
        raise WrongUse(f"{path}, row 1: the columns {','.join(missing)} are missing; all are {','.join(COLUMNS)}")
    if not rows:
        raise WrongUse(f"{path} has no rows; nas profile writes some")
    for number, row in rows:
        if None in row or None in row.values():
            raise WrongUse(f"{path}, row {number}: it has not {len(names)} cells as the header has; quote commas")
    return rows


def _target(path: Path, number: int, row: Mapping[str, str]) -> Target:
    counts = {name: _number(path, number, row, name, int) for name in ("threads", "batch")}
    try:
        return Target(row["device"], row["runtime"], row["precision"], counts["threads"] or 0, counts["batch"] or 0)
    except WrongUse as error:
        raise WrongUse(f"{path}, row {number}: {error}") from None


def _architecture(path: Path, number: int, row: Mapping[str, str]) -> Architecture:
    try:
        found = Architecture.from_json(row["architecture"])
    except WrongUse as error:
        raise WrongUse(f"{path}, row {number}, column architecture: {error}") from None
    for name, own in (("id", found.id), ("space", found.space)):
        if row.get(name, own) != own:
            raise WrongUse(
                f"{path}, row {number}, column {name}: {shown(row[name])}, while the architecture beside it has {own}; "
                "were cells moved, or did a spreadsheet take the text for a number?"
            )
    return found


def _figure(path: Path, number: int, row: Mapping[str, str], column: str) -> Measured | None:
    value = _number(path, number, row, column, float)
    if value is None:
        return None
    if value == 0:
        raise WrongUse(f"{path}, row {number}, column {column}: no network takes 0; leave it empty, or measure")
    shares = (_number(path, number, row, name, float) for name in ("spread", "drift"))
    counts = (_number(path, number, row, name, int) for name in ("passes", "runs"))
    return Measured(value, *shares, *counts)


def _number(path: Path, number: int, row: Mapping[str, str], column: str, kind: Callable[[str], Any]) -> Any:
    """A finite number of 0 or more; None of an empty cell or a missing column."""
    text = row.get(column, "").strip()
    if not text:
        return None
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        what = "whole number" if kind is int else "number"
        raise WrongUse(
            f"{path}, row {number}, column {column}: {shown(text)} is no {what} of 0 or more, without a unit"
        )
    return value
