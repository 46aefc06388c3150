"""What single operators take, as a CSV file: a lookup table, a row an operator.

`operator` is its kind; `height` and `width` are those of the input, in elements (tokens x 1 of a transformer). What may
be left out or empty: `kernel` and `stride` (1), `groups` (1; of a depthwise convolution its channels), `out_channels`
of operators that keep them, `out_height` and `out_width` (those of the input over the stride, rounded up: padded so
that nothing is lost). A row with the operator `constant` and no shape is what every network takes once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.core.measured import Target
from nas.storage.sheet import LATENCY, OF_TARGET, Row, Sheet, write_sheet
from predictors.hardware.latency.lookup_table import CONSTANT, LookupTable
from predictors.hardware.latency.operator_classes import OperatorShape
from search_spaces.core.errors import WrongUse, did_you_mean, shown
from search_spaces.core.layer_table import Kind

OPERATOR = "operator"
_NEEDED = ("in_channels", "height", "width")
SHAPE = ("in_channels", "out_channels", "height", "width", "kernel", "stride", "groups", "out_height", "out_width")
COLUMNS = (OPERATOR, *SHAPE, LATENCY, *OF_TARGET)
_MAKES_CHANNELS = (Kind.CONV, Kind.LINEAR, Kind.MATMUL, Kind.CONCAT)
_KINDS = {kind.name.lower(): kind for kind in Kind}
_ALSO_CALLED = {"dwconv": Kind.DEPTHWISE, "fc": Kind.LINEAR, "mul": Kind.MULTIPLY}


@dataclass(frozen=True)
class OperatorTimes:
    """Times of operators by their shape, on one target, and of every network beside (`constant`), in the order of the
    file. `column` says what was measured, and its unit.
    """

    target: Target
    times: Mapping[OperatorShape, float]
    constant: float = 0.0
    column: str = LATENCY

    @cached_property
    def table(self) -> LookupTable:
        """As a sum; operators are named as by `operator_shapes`."""
        return LookupTable({str(shape): time for shape, time in self.times.items()}, self.constant)

    def write(self, path: Path) -> None:
        """Writes the file so that it holds the old rows or the new ones, never a part."""
        target = asdict(self.target)
        rows: list[dict[str, Any]] = [
            _cells(shape) | {self.column: repr(t)} | target for shape, t in self.times.items()
        ]
        if self.constant:
            rows.append({OPERATOR: CONSTANT, self.column: repr(self.constant), **target})
        write_sheet(path, [self.column if column == LATENCY else column for column in COLUMNS], rows)

    @classmethod
    def read(cls, path: Path, told: Mapping[str, str] | None = None) -> "OperatorTimes":
        """`NotFound` where there is no file; `WrongUse`, naming row and column, where a cell is not as it should be."""
        return cls.of_sheet(Sheet.read(path, told))

    @classmethod
    def of_sheet(cls, sheet: Sheet) -> "OperatorTimes":
        """The same of a file that is read already."""
        sheet.check(COLUMNS, (OPERATOR, *_NEEDED))
        target = sheet.target()
        times: dict[OperatorShape, float] = {}
        first: dict[OperatorShape | str, int] = {}
        constant = 0.0
        for number, row in sheet.rows:
            shape = _shape(sheet, number, row)
            if shape in first:
                raise sheet.wrong(number, f"{shape} stands in row {first[shape]} as well; keep one of them", OPERATOR)
            first[shape] = number
            time = float(sheet.filled(number, row, sheet.column))
            if isinstance(shape, OperatorShape):
                times[shape] = time
            else:
                constant = time
        if not any(times.values()):
            raise WrongUse(f"{sheet.path}: no operator takes any time; expected a row each")
        return cls(target, times, constant, sheet.column)


def write_empty(path: Path, shapes: Sequence[OperatorShape]) -> None:
    """A file of these operators with the figures to fill in; the target is told when it is read."""
    write_sheet(path, (OPERATOR, *SHAPE, LATENCY), [_cells(shape) for shape in shapes])


def _cells(shape: OperatorShape) -> dict[str, Any]:
    sizes = shape._asdict()
    sizes |= {"height": shape.in_height, "width": shape.in_width}
    return {OPERATOR: shape.kind.name.lower(), **{name: sizes[name] for name in SHAPE}}


def _shape(sheet: Sheet, number: int, row: Row) -> OperatorShape | str:
    """What the row is of; the word `constant` of the row of no operator."""
    name = row[OPERATOR].strip().lower()
    if name == CONSTANT:
        filled = [column for column in SHAPE if row.get(column, "").strip()]
        if filled:
            raise sheet.wrong(number, "a constant has no shape; leave the cell empty", filled[0])
        return CONSTANT
    kind = _KINDS.get(name) or _ALSO_CALLED.get(name)
    if kind is None:
        hint = did_you_mean(name, (*_KINDS, *_ALSO_CALLED)) or "."
        known = ", ".join((*_KINDS, *_ALSO_CALLED, CONSTANT))
        raise sheet.wrong(number, f"unknown operator {shown(name)}{hint} Known: {known}", OPERATOR)
    told = {column: sheet.number(number, row, column, int) for column in SHAPE}
    for column in (*_NEEDED, *(["out_channels"] if kind in _MAKES_CHANNELS else [])):
        told[column] = sheet.filled(number, row, column, int)
    for column, value in told.items():
        if value == 0:
            raise sheet.wrong(number, "a size is 1 or more", column)
    channels, height, width = (told[column] for column in _NEEDED)
    kernel, stride = told["kernel"] or 1, told["stride"] or 1
    return OperatorShape(
        kind,
        kernel,
        stride,
        told["groups"] or (channels if kind is Kind.DEPTHWISE else 1),
        channels,
        height,
        width,
        told["out_channels"] or channels,
        told["out_height"] or -(-height // stride),
        told["out_width"] or -(-width // stride),
    )
