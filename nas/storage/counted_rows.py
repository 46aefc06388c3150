"""What networks take that are of no search space, as a CSV file: a row a network, by the work of its operators.

Columns are those of `predictors.hardware.latency.operator_classes`, besides the figure and the target of all such
files; `id` may name a network. A column `macs ...` that is left out is 0 in every network; one of `moved ...` and
`number ...` that is left out is not known, and nothing is learnt from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from nas.core.measured import Target
from nas.storage.measured_rows import ARCHITECTURE
from nas.storage.sheet import LATENCY, OF_TARGET, Row, Sheet, write_sheet
from predictors.hardware.latency.operator_classes import COLUMNS as COUNTS
from predictors.hardware.latency.operator_classes import TRAFFIC
from search_spaces.core.errors import WrongUse

COLUMNS = ("id", *COUNTS, LATENCY, *OF_TARGET)
_HINT = (ARCHITECTURE, "operator")  # of the other kinds of files


@dataclass(frozen=True)
class CountedRows:
    """Networks of one target, in the order of the file: `ids` `(n,)`, `counts` `(n, f)` by `columns`, `values` `(n,)`.

    `column` says what was measured, and its unit.
    """

    target: Target
    ids: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    column: str = LATENCY

    def write(self, path: Path) -> None:
        """Writes the file so that it holds the old rows or the new ones, never a part."""
        rows = []
        for name, counts, value in zip(self.ids, self.counts, self.values, strict=True):
            cells = dict(zip(self.columns, map(_text, counts), strict=True))
            rows.append({"id": name, **cells, self.column: f"{value:.6g}", **asdict(self.target)})
        write_sheet(path, ["id", *self.columns, self.column, *OF_TARGET], rows)

    @classmethod
    def read(cls, path: Path, told: Mapping[str, str] | None = None) -> "CountedRows":
        """`NotFound` where there is no file; `WrongUse`, naming row and column, where a cell is not as it should be."""
        return cls.of_sheet(Sheet.read(path, told))

    @classmethod
    def of_sheet(cls, sheet: Sheet) -> "CountedRows":
        """The same of a file that is read already."""
        sheet.check(COLUMNS, (), _HINT)
        if not set(COUNTS) & set(sheet.names):
            raise WrongUse(
                f"{sheet.path}, row 1: neither an {ARCHITECTURE} nor any count of operators is there; the counts are "
                f"{', '.join(COUNTS)}; nas cost NETWORK --json gives them"
            )
        target = sheet.target()
        columns = tuple(name for name in COUNTS if name in sheet.names or name not in TRAFFIC)
        counts = [tuple(_count(sheet, number, row, name) for name in columns) for number, row in sheet.rows]
        ids = tuple(row.get("id", "").strip() or f"row {number}" for number, row in sheet.rows)
        _refuse_duplicates(sheet, ids, counts)
        values = tuple(_figure(sheet, number, row) for number, row in sheet.rows)
        return cls(target, ids, columns, tuple(counts), values, sheet.column)


def _count(sheet: Sheet, number: int, row: Row, column: str) -> float:
    if column not in row:
        return 0.0
    found = sheet.number(number, row, column)
    if found is None:
        raise sheet.wrong(number, "empty; write 0 where the network has none", column)
    return float(found)


def _figure(sheet: Sheet, number: int, row: Row) -> float:
    value = float(sheet.filled(number, row, sheet.column))
    if value == 0:
        raise sheet.wrong(number, "no network takes 0; measure, or leave the row out", sheet.column)
    return value


def _refuse_duplicates(sheet: Sheet, ids: tuple[str, ...], counts: list[tuple[float, ...]]) -> None:
    """An id is that of one network; equal counts are of two networks only where both have an id."""
    first: dict[object, int] = {}
    for (number, row), name, cells in zip(sheet.rows, ids, counts, strict=True):
        if name in first:
            raise sheet.wrong(number, f"'{name}' stands in row {first[name]} as well; keep one of them", "id")
        if cells in first and not row.get("id", "").strip():
            raise sheet.wrong(
                number,
                f"the counts stand in row {first[cells]} as well; keep one of them, or give each network its id",
            )
        first[name] = number
        first.setdefault(cells, number)


def _text(count: float) -> str:
    return f"{count:.0f}" if count.is_integer() else repr(count)
