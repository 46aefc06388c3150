"""CSV files with a row a network, read so that an error names the row and the column. Row 1 is the header."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.storage.files import os_errors_explained
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse, did_you_mean, shown

_LARGEST_FILE_BYTES = 256 << 20

Row = Mapping[str, str]


def read_table(path: Path, columns: Sequence[str], needed: Sequence[str]) -> list[tuple[int, Row]]:
    """Number and cells of every row, at least one, of a file of these columns in any order.

    `NotFound` where there is no file; `WrongUse` where it is no such table: a column is unknown, stands twice or is
    missing although `needed`, or a row has not as many cells as the header.
    """
    with os_errors_explained(path):
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise WrongUse(f"{path} has {path.stat().st_size:,} bytes, which is too much for a row a network")
        content = path.read_bytes()
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        names = [name or "" for name in reader.fieldnames or ()]
        rows: list[tuple[int, Row]] = list(enumerate(reader, start=2))
    except (UnicodeDecodeError, csv.Error) as error:
        raise WrongUse(f"{path} is no CSV file ({error}); its columns are {','.join(columns)}") from None
    for name in names:
        if name not in columns or names.count(name) > 1:
            why = f"unknown{did_you_mean(name, columns)}" if name not in columns else "there twice"
            raise WrongUse(f"{path}, row 1: the column {shown(name)} is {why}; the columns are {','.join(columns)}")
    missing = [name for name in needed if name not in names]
    if missing:
        raise WrongUse(f"{path}, row 1: the columns {','.join(missing)} are missing; all are {','.join(columns)}")
    if not rows:
        raise WrongUse(f"{path} has no rows")
    for number, row in rows:
        if None in row or None in row.values():
            raise WrongUse(f"{path}, row {number}: it has not {len(names)} cells as the header has; quote commas")
    return rows


def read_architectures(path: Path, rows: Sequence[tuple[int, Row]]) -> list[Architecture]:
    """Of the column `architecture`, each once; `id` and `space`, where they are there, have to be its own."""
    networks = [_architecture(path, number, row) for number, row in rows]
    first: dict[str, int] = {}
    for (number, _), network in zip(rows, networks, strict=True):
        if network.id in first:
            raise WrongUse(
                f"{path}, row {number}: the network {network.id} stands in row {first[network.id]} as well; keep one "
                "of them"
            )
        first[network.id] = number
    return networks


def _architecture(path: Path, number: int, row: Row) -> Architecture:
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


def read_number(
    path: Path, number: int, row: Row, column: str, kind: Callable[[str], Any] = float, least: float | None = 0.0
) -> Any:
    """A finite number of `least` or more; None of an empty cell or a missing column."""
    text = row.get(column, "").strip()
    if not text:
        return None
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (least is not None and value < least):
        what = "whole number" if kind is int else "number"
        bound = "" if least is None else f" of {least:g} or more"
        raise WrongUse(f"{path}, row {number}, column {column}: {shown(text)} is no {what}{bound}, without a unit")
    return value
