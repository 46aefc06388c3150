"""The operators of many networks as integer columns, in execution order.

A slot is a place for one operator; row `i` uses the slots where `present[i]` is true. An absent slot has no channels,
kernel 1 and stride 1, so that sums over channels and recursions over receptive fields may run over every slot.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]

NETWORK_INPUT = -1
NO_INPUT = -2


class Kind(enum.IntEnum):
    """What an operator computes."""

    CONV = 1
    DEPTHWISE = 2
    LINEAR = 3
    MATMUL = 4
    NORM = 5
    POOL = 6
    ADD = 7
    CONCAT = 8
    MULTIPLY = 9


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


@dataclass(frozen=True, eq=False)
class LayerTable:
    """Columns of shape `(n, slots)`; a column equal in every row may be a broadcast view (read-only).

    `input_a`, `input_b`: slot that makes the input, `NETWORK_INPUT` or `NO_INPUT`. `last_use`: last slot that reads
    this slot's output (its own index where nobody does). Heights and widths in pixels (tokens x 1 for transformers).
    `channel_params`: learned values per output channel beside the weights (batch norm 2, bias 1). `cut`: a patch
    schedule may end after this slot (one block of the network ends here).
    """

    slot_names: tuple[str, ...]
    present: BoolArray
    kind: IntArray
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

    def __len__(self) -> int:
        return len(self.present)

    @property
    def slots(self) -> int:
        """Number of slots."""
        return self.present.shape[1]

    def select(self, rows: Any) -> "LayerTable":
        """The table of some rows: a slice, mask or index array."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        # slot by slot in memory, as spaces write them and prices read them
        return LayerTable(**{k: v if k == "slot_names" else v.T[:, rows].T for k, v in columns.items()})

    def of_kind(self, *kinds: Kind) -> BoolArray:
        """Present operators `(n, slots)` of one of these kinds."""
        known = np.zeros(max(Kind) + 1, dtype=bool)
        known[list(kinds)] = True
        same_in_all_rows = self.kind.strides[0] == 0
        return self.present & known[self.kind[:1] if same_in_all_rows else self.kind]

    def layers(self, row: int) -> list[Layer]:
        """The present operators of one network, inputs renumbered to positions in the list."""
        slots = np.flatnonzero(self.present[row])
        position = {int(slot): i for i, slot in enumerate(slots)}
        position |= {NETWORK_INPUT: NETWORK_INPUT, NO_INPUT: NO_INPUT}
        result = []
        for slot in slots:
            cells = {name: int(getattr(self, name)[row, slot]) for name in Layer._fields if name not in ("name", "cut")}
            cells |= {name: position[cells[name]] for name in ("input_a", "input_b")}
            cells["kind"] = Kind(cells["kind"])
            result.append(Layer(name=self.slot_names[slot], cut=bool(self.cut[row, slot]), **cells))
        return result

    @classmethod
    def from_layers(cls, layers: Sequence[Layer]) -> "LayerTable":
        """A table of height one."""
        last_use = list(range(len(layers)))
        for index, layer in enumerate(layers):
            for source in (layer.input_a, layer.input_b):
                if source >= 0:
                    last_use[source] = index
        columns: dict[str, NDArray[Any]] = {
            name: np.array([[getattr(layer, name) for layer in layers]], dtype=np.int32)
            for name in Layer._fields
            if name not in ("name", "cut")
        }
        return cls(
            slot_names=tuple(layer.name for layer in layers),
            present=np.ones((1, len(layers)), dtype=bool),
            last_use=np.array([last_use], dtype=np.int32),
            cut=np.array([[layer.cut for layer in layers]], dtype=bool),
            **columns,
        )
