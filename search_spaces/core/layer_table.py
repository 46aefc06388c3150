"""The operators of many networks as integer columns, in execution order.

A slot is a place for one operator; row `i` uses the slots where `present[i]` is true. An absent slot has no channels,
kernel 1 and stride 1, so that sums over channels and recursions over receptive fields may run over every slot.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]
SlotArray = NDArray[np.intp]

NETWORK_INPUT = -1
NO_INPUT = -2


class Kind(enum.IntEnum):
    """What an operator computes.

    `OTHER` multiplies nothing that is known, and reads its whole input: its tensors alone count.
    A matrix product multiplies `in_channels` / `groups` pairs for each of its out_channels x height x width elements:
    with h heads, N tokens and d channels Q.K has (in, out, groups) = (d, h * N, h), and the product with V (h * N, d,
    h).
    """

    CONV = 1
    DEPTHWISE = 2
    LINEAR = 3
    MATMUL = 4
    NORM = 5
    POOL = 6
    ADD = 7
    CONCAT = 8
    MULTIPLY = 9
    OTHER = 10


WEIGHTED = (Kind.CONV, Kind.DEPTHWISE, Kind.LINEAR)
"""Operators with a matrix or kernels of weights."""


class Layer(NamedTuple):
    """One operator of one network; sizes in elements. `input_a`, `input_b` are positions in the list of layers."""

    name: str
    kind: Kind
    input_a: int
    input_b: int
    in_channels: int
    out_channels: int
    in_height: int
    in_width: int
    out_height: int
    out_width: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    channel_params: int = 0
    cut: bool = False
    weight_bits: int = 8
    input_bits: int = 8
    kept_bits: int = 8


_BITS = ("weight_bits", "input_bits", "kept_bits")
_INTEGER_CELLS = tuple(name for name in Layer._fields if name not in ("name", "kind", "cut", *_BITS))
_CELL_OF_ABSENT = {"input_a": NO_INPUT, "input_b": NO_INPUT, "kernel": 1, "stride": 1, "groups": 1}


@dataclass(frozen=True, eq=False)
class Widths:
    """Bits under a quantization policy, columns `(n, slots)`; 0 where there is nothing.

    `weight_bits`: of each weight, `scales` how many scales they have (0 where they are floats). `input_bits`: of the
    activations that an operator multiplies. `kept_bits`: of each element of its output as it is kept.
    """

    weight_bits: IntArray
    scales: IntArray
    input_bits: IntArray
    kept_bits: IntArray

    def cut_to(self, rows: slice | NDArray[Any] = slice(None), slots: int | None = None) -> "Widths":
        """Those of some rows and the first `slots` slots."""
        return Widths(*(getattr(self, field.name)[rows][:, :slots] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class LayerTable:
    """Columns of shape `(n, slots)`; a column equal in every row may be a broadcast view (read-only).

    `kinds`: the kind of each slot's operator, the same in every row. `input_a`, `input_b`: slot that makes the input,
    `NETWORK_INPUT` or `NO_INPUT`. `last_use`: last slot that reads this slot's output (its own index where nobody
    does; of an imported network it may read it as a third input, which no column names). Heights and widths in pixels
    (tokens x 1 for transformers). `channel_params`: learned values per output channel beside the weights (batch norm
    2, bias 1). `cut`: a patch schedule may end after this slot (one block of the network ends here). `widths`: None
    without a quantization policy: then all is int8. `kernel_width`: None where all kernels are square, else `kernel`
    is their height. Columns are read slot by slot, so they are best kept `(slots, n)` in memory and handed over
    transposed.
    """

    slot_names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    present: BoolArray
    input_a: IntArray
    input_b: IntArray
    last_use: IntArray
    in_channels: IntArray
    out_channels: IntArray
    in_height: IntArray
    in_width: IntArray
    out_height: IntArray
    out_width: IntArray
    kernel: IntArray
    stride: IntArray
    groups: IntArray
    channel_params: IntArray
    cut: BoolArray
    widths: Widths | None = None
    kernel_width: IntArray | None = None

    def __len__(self) -> int:
        return len(self.present)

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.slot_names)

    def select(self, rows: slice | NDArray[Any]) -> "LayerTable":
        """The table of some rows: a slice, mask or index array."""
        if not isinstance(rows, slice):
            rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: _select(value, rows) for name, value in columns.items() if isinstance(value, np.ndarray)}
        widths = None if self.widths is None else self.widths.cut_to(rows)
        return LayerTable(**(columns | arrays | {"widths": widths}))

    def first(self, slots: int) -> "LayerTable":
        """The table of the first `slots` slots, as views; `last_use` may lie behind them."""
        columns: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Widths):
                columns[field.name] = value.cut_to(slots=slots)
            elif value is not None:
                columns[field.name] = value[:, :slots] if isinstance(value, np.ndarray) else value[:slots]
        return LayerTable(**columns)

    def slots_of(self, *kinds: Kind) -> SlotArray:
        """The slots whose operator is of one of these kinds, in order."""
        return np.flatnonzero(self.mask_of(*kinds))

    def mask_of(self, *kinds: Kind) -> BoolArray:
        """Which slots `(slots,)` hold an operator of one of these kinds."""
        return np.array([kind in kinds for kind in self.kinds], dtype=bool)

    @cached_property
    def kernel_area(self) -> IntArray:
        """`(n, slots)`: elements of each kernel's window."""
        area: IntArray = self.kernel * (self.kernel if self.kernel_width is None else self.kernel_width)
        return area

    @cached_property
    def before(self) -> IntArray:
        """`(slots, n)`: the last present slot before each slot, -1 where there is none."""
        marks = self.present.T * np.arange(1, self.slots + 1, dtype=np.int32)[:, None]
        result = np.zeros_like(marks)
        for slot in range(1, self.slots):
            np.maximum(result[slot - 1], marks[slot - 1], out=result[slot])
        result -= 1
        return result

    def layers(self, row: int) -> list[Layer]:
        """The present operators of one network, inputs renumbered to positions in the list."""
        slots = np.flatnonzero(self.present[row])
        position = {int(slot): i for i, slot in enumerate(slots)}
        position |= {NETWORK_INPUT: NETWORK_INPUT, NO_INPUT: NO_INPUT}
        result = []
        for slot in slots:
            cells = {name: int(getattr(self, name)[row, slot]) for name in _INTEGER_CELLS}
            cells |= {name: position[cells[name]] for name in ("input_a", "input_b")}
            if self.widths is not None:
                cells |= {name: int(getattr(self.widths, name)[row, slot]) for name in _BITS}
            name, kind = self.slot_names[slot], self.kinds[slot]
            result.append(Layer(name=name, kind=kind, cut=bool(self.cut[row, slot]), **cells))
        return result

    @classmethod
    def from_layers(cls, layers: Sequence[Layer]) -> "LayerTable":
        """A table of height one."""
        return cls.stack([layers])

    @classmethod
    def stack(cls, networks: Sequence[Sequence[Layer]]) -> "LayerTable":
        """One row a network; operators of equal name share a slot.

        The plain way for a space to decode, some thousand rows a second. `ValueError` where a name stands twice in a
        network, has two kinds, or two names come in different orders.
        """
        kinds: dict[str, Kind] = {}
        for layer in (layer for network in networks for layer in network):
            if kinds.setdefault(layer.name, layer.kind) != layer.kind:
                raise ValueError(
                    f"operator '{layer.name}' is {kinds[layer.name].name} here and {layer.kind.name} there"
                )
        names = _common_order([[layer.name for layer in network] for network in networks])
        shape = (len(networks), len(names))
        columns: dict[str, Any] = {
            name: np.full(shape, _CELL_OF_ABSENT.get(name, 0), dtype=np.int32) for name in _INTEGER_CELLS
        }
        columns["last_use"] = np.tile(np.arange(len(names), dtype=np.int32), (shape[0], 1))
        columns |= {name: np.zeros(shape, dtype=bool) for name in ("present", "cut")}
        slot_of = {name: slot for slot, name in enumerate(names)}
        for row, network in enumerate(networks):
            slots = [slot_of[layer.name] for layer in network]
            columns["present"][row, slots] = True
            columns["cut"][row, slots] = [layer.cut for layer in network]
            for name in _INTEGER_CELLS:
                columns[name][row, slots] = [getattr(layer, name) for layer in network]
            for slot, layer in zip(slots, network, strict=True):
                for name, source in (("input_a", layer.input_a), ("input_b", layer.input_b)):
                    if source >= 0:
                        columns[name][row, slot] = slots[source]
                        columns["last_use"][row, slots[source]] = slot
        return cls(slot_names=tuple(names), kinds=tuple(kinds[name] for name in names), **columns)


def _select(column: NDArray[Any], rows: slice | SlotArray) -> NDArray[Any]:
    if isinstance(rows, slice):
        return column[rows]
    if column.strides[0] == 0:
        return np.broadcast_to(column[:1], (len(rows), column.shape[1]))
    return np.take(column.T, rows, axis=1).T


def _common_order(sequences: Iterable[Sequence[str]]) -> list[str]:
    """One order of all names in which every sequence is a subsequence."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for sequence in sequences:
        sorter.add(*sequence[:1])
        for earlier, later in pairwise(sequence):
            sorter.add(later, earlier)
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise ValueError(f"operators come twice, or in different orders: {', '.join(error.args[1])}") from None
