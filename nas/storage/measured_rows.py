"""What whole networks take, as a CSV file: the one that `nas profile` writes, or of somebody's own board.

One row a network. `architecture` is its canonical JSON, which holds the space, all its settings and the input; `id` and
`space` repeat what people look for. `latency_ms` is the time of one batch (in its place `energy_mj`: the energy), empty
where nobody has measured yet; the columns behind it may be empty as well. The last five name the target and are the
same in every row.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.core.measured import Measured, Target
from nas.storage.sheet import LATENCY, OF_TARGET, Row, Sheet, write_sheet
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse, shown

ARCHITECTURE = "architecture"
_OF_NETWORK = ("id", "space", ARCHITECTURE)
_OF_FIGURE = ("spread", "drift", "passes", "runs")
COLUMNS = (*_OF_NETWORK, LATENCY, *_OF_FIGURE, *OF_TARGET)


@dataclass(frozen=True)
class MeasuredRows:
    """Networks of one target, in the order of the file, each once; None: not measured yet.

    `column` says what was measured, and its unit.
    """

    target: Target
    architectures: tuple[Architecture, ...]
    figures: tuple[Measured | None, ...]
    column: str = LATENCY

    @property
    def ids(self) -> tuple[str, ...]:
        """A short name of each network."""
        return tuple(architecture.id for architecture in self.architectures)

    @property
    def values(self) -> tuple[float | None, ...]:
        """The figures alone."""
        return tuple(None if figure is None else figure.value for figure in self.figures)

    def write(self, path: Path) -> None:
        """Writes the file so that it holds the old rows or the new ones, never a part."""
        rows = []
        for architecture, figure in zip(self.architectures, self.figures, strict=True):
            named = {"id": architecture.id, "space": architecture.space, ARCHITECTURE: architecture.to_json()}
            rows.append(named | _cells(self.column, figure) | asdict(self.target))
        write_sheet(path, [self.column if column == LATENCY else column for column in COLUMNS], rows)

    @classmethod
    def read(cls, path: Path) -> "MeasuredRows":
        """`NotFound` where there is no file; `WrongUse`, naming row and column, where a cell is not what it should be.

        Columns may stand in any order; those about passes, `id` and `space` may be missing.
        """
        return cls.of_sheet(Sheet.read(path))

    @classmethod
    def of_sheet(cls, sheet: Sheet) -> "MeasuredRows":
        """The same of a file that is read already."""
        sheet.check(COLUMNS, [ARCHITECTURE])
        target = sheet.target()
        networks = [_architecture(sheet, number, row) for number, row in sheet.rows]
        first: dict[str, int] = {}
        for (number, _), network in zip(sheet.rows, networks, strict=True):
            if network.id in first:
                raise sheet.wrong(
                    number, f"the network {network.id} stands in row {first[network.id]} as well; keep one of them"
                )
            first[network.id] = number
        figures = tuple(_figure(sheet, number, row) for number, row in sheet.rows)
        return cls(target, tuple(networks), figures, sheet.column)


def _cells(column: str, figure: Measured | None) -> dict[str, Any]:
    if figure is None:
        return {}
    known = {column: figure.value} | {name: getattr(figure, name) for name in _OF_FIGURE}
    shares = ("spread", "drift")
    return {
        name: "" if value is None else f"{value:.4f}" if name in shares else f"{value:.6g}"
        for name, value in known.items()
    }


def _architecture(sheet: Sheet, number: int, row: Row) -> Architecture:
    try:
        found = Architecture.from_json(row[ARCHITECTURE])
    except WrongUse as error:
        raise sheet.wrong(number, str(error), ARCHITECTURE) from None
    for name, own in (("id", found.id), ("space", found.space)):
        if row.get(name, own) != own:
            raise sheet.wrong(
                number,
                f"{shown(row[name])}, while the architecture beside it has {own}; were cells moved, or did a "
                "spreadsheet take the text for a number?",
                name,
            )
    return found


def _figure(sheet: Sheet, number: int, row: Row) -> Measured | None:
    value = sheet.number(number, row, sheet.column)
    if value is None:
        return None
    if value == 0:
        raise sheet.wrong(number, "no network takes 0; leave it empty, or measure", sheet.column)
    shares = (sheet.number(number, row, name) for name in ("spread", "drift"))
    counts = (sheet.number(number, row, name, int) for name in ("passes", "runs"))
    return Measured(value, *shares, *counts)
