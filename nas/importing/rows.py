"""Rows as a JSON document, which crosses from the process that read a file, and the operator table made of them."""

from dataclasses import replace
from typing import Any

import numpy as np

from nas.core.foreign_graph import LARGEST_TENSOR
from nas.importing.lowering import Lowered, Row
from nas.importing.mapping import is_float
from nas.importing.operators import ForeignNetwork
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import NETWORK_INPUT, BoolArray, Kind, Layer, LayerTable

_INTEGERS = tuple(name for name in Layer._fields if name not in ("name", "kind", "cut"))


def to_document(network: ForeignNetwork, lowered: Lowered) -> dict[str, Any]:
    """Plain JSON values."""
    return {
        "rows": [
            [row.layer.name, row.layer.kind.name, row.kernel_width, row.regular, *_cells(row.layer)]
            for row in lowered.rows
        ],
        "held": [list(pair) for pair in lowered.held],
        "unknown": lowered.unknown,
        "folded": lowered.folded,
        "numbers": network.numbers,
        "notes": list(network.notes),
    }


def _cells(layer: Layer) -> list[int]:
    return [int(getattr(layer, name)) for name in _INTEGERS]


def from_document(document: dict[str, Any]) -> tuple[LayerTable, dict[str, int], str, tuple[str, ...]]:
    """The table, the unknown operators, how numbers are stored, and notes; `WrongUse` for cells out of bounds."""
    rows = [_row(position, row) for position, row in enumerate(document["rows"])]
    held = [(int(source), int(until)) for source, until in document["held"]]
    table = _table(rows, held)
    unknown = {str(name)[:80]: int(count) for name, count in document["unknown"].items()}
    numbers = str(document["numbers"])[:40]
    notes = (*map(str, document["notes"]), *_notes(document["folded"], numbers, unknown))
    return table, unknown, numbers, notes


def _row(position: int, cells: list[Any]) -> Row:
    name, kind, kernel_width, regular, *numbers = cells
    values: dict[str, Any] = dict(zip(_INTEGERS, map(int, numbers), strict=True))
    layer = Layer(name=str(name), kind=Kind[kind], **values)
    sizes = [getattr(layer, name) for name in _INTEGERS if name not in ("input_a", "input_b", "channel_params")]
    inside = layer.in_channels * layer.in_height * layer.in_width
    outside = layer.out_channels * layer.out_height * layer.out_width
    if (
        min(*sizes, kernel_width) < 1
        or max(*sizes, inside, outside, layer.channel_params, kernel_width) > LARGEST_TENSOR
    ):
        raise WrongUse(f"operator '{layer.name}' is larger than anything that is priced, or empty")
    if max(layer.input_a, layer.input_b) >= position:
        raise WrongUse(f"operator '{layer.name}' reads what is made after it")
    return Row(layer, int(kernel_width), bool(regular))


def _table(rows: list[Row], held: list[tuple[int, int]]) -> LayerTable:
    table = LayerTable.from_layers([row.layer for row in rows])
    last_use = table.last_use.copy()
    for source, until in held:
        last_use[0, source] = max(last_use[0, source], until)
    widths = np.array([[row.kernel_width for row in rows]], dtype=np.int32)
    kernel_width = None if (widths == table.kernel).all() else widths
    table = replace(table, last_use=last_use, kernel_width=kernel_width)
    return replace(table, cut=_cuts(table, rows))


def _cuts(table: LayerTable, rows: list[Row]) -> BoolArray:
    """Where a patch schedule may be split: one tensor alone is alive, and patches of all that ran before are known."""
    reads_image = (table.input_a[0] == NETWORK_INPUT) | (table.input_b[0] == NETWORK_INPUT)
    ends = np.maximum.accumulate(np.where(np.arange(len(rows)) > 0, np.roll(table.last_use[0], 1), 0))
    alone = ends <= np.arange(len(rows))
    image_done = np.arange(len(rows)) >= np.flatnonzero(reads_image).max(initial=-1)
    regular = np.logical_and.accumulate([row.regular for row in rows])
    cut: BoolArray = (alone & image_done & regular)[None]
    return cut


def _notes(folded: dict[str, int], numbers: str, unknown: dict[str, int]) -> list[str]:
    notes = []
    if unknown:
        named = ", ".join(f"{count} x {name}" for name, count in unknown.items())
        notes.append(f"multiply-accumulates MISSING of unknown operators, whose tensors count: {named}")
    if is_float(numbers):
        notes.append(f"the file stores {numbers}; counted is the int8 network that quantizing it gives")
    if folded.get("PAD"):
        notes.append(
            f"{folded['PAD']} PAD operators count as borders of the convolutions behind them, without tensors of their "
            "own; TensorFlow Lite Micro runs them apart"
        )
    return notes
