"""Which of three kinds a file of figures is, by its first row: networks of a space, counted networks, operators."""

from collections.abc import Mapping
from pathlib import Path

from nas.storage.counted_rows import CountedRows
from nas.storage.measured_rows import ARCHITECTURE, MeasuredRows
from nas.storage.operator_times import OPERATOR, OperatorTimes
from nas.storage.sheet import Sheet

NetworkRows = MeasuredRows | CountedRows


def read_any(path: Path, told: Mapping[str, str] | None = None) -> NetworkRows | OperatorTimes:
    """Networks where there is a column `architecture`, operators where there is `operator`, else counted networks.

    `told`: cells of the target that take the place of those in the file, or of the columns. Errors are those of the
    kinds.
    """
    sheet = Sheet.read(path, told)
    if ARCHITECTURE in sheet.names:
        return MeasuredRows.of_sheet(sheet)
    return OperatorTimes.of_sheet(sheet) if OPERATOR in sheet.names else CountedRows.of_sheet(sheet)
