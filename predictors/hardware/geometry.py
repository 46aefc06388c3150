"""How large a patch of every tensor is, for a whole population, and after which operators patches may end.

A patch of `g` rows of the split's output needs `(reach + b) / stride` rows of the tensor made by slot `t`, with
reach = field + (g - 1) * stride at the split and b = stride - field at `t`, where field and stride are the receptive
field and the step of one output of `t` on the image. So heights, bytes and MACs of all splits and grids are forms
`a * Rh * Rw + b * (Rh + Rw) + c` in the reach, whose coefficients are computed once.

Arrays here are `(slots, n)`: every slot contiguous. Networks are chains with skip connections; a side branch inside a
patch stage (squeeze-excite, attention, pooling) needs the whole map, so no split lies behind one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.liveness import Bools, Floats, alive, image_last_read, running
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import Kind, Layer, LayerTable

_WHOLE_MAP = (Kind.POOL, Kind.LINEAR, Kind.MATMUL, Kind.OTHER)


class Form(NamedTuple):
    """The coefficients `(slots, n)` of `square * Rh * Rw + linear * (Rh + Rw) + constant`."""

    square: Floats
    linear: Floats
    constant: Floats

    @classmethod
    def of_map(cls, weight: Floats, stride: Floats, offset: Floats) -> "Form":
        """`weight` x height x width of a map whose side is (R + offset) / stride."""
        square = weight / (stride * stride)
        linear = square * offset
        return cls(square, linear, linear * offset)

    def alive(self, last_use: NDArray[np.integer]) -> "Form":
        """What is alive at each slot; see `liveness.alive`."""
        return Form(*(alive(part, last_use) for part in self))

    def total(self) -> "Form":
        """Running sums over the slots."""
        return Form(*(running(np.add, part) for part in self))

    def take(self, slots: int, rows: NDArray[np.intp]) -> "Form":
        """The coefficients of the first `slots` slots and some rows; all rows where there are as many."""
        parts = (part[:slots] for part in self)
        if len(rows) == self.square.shape[1]:
            return Form(*parts)
        return Form(*(np.take(part, rows, axis=1) for part in parts))

    def largest(self, product: Floats, total: Floats) -> Floats:
        """The largest value of any slot for Rh * Rw = `product` and Rh + Rw = `total`, both `(n,)`; 0 without slots."""
        values = self.square * product
        values += self.linear * total
        values += self.constant
        # whole numbers but for the rounding of divisions by strides that are no power of two
        largest: Floats = np.rint(values.max(axis=0, initial=0.0))
        return largest


@dataclass(frozen=True)
class Steps:
    """Receptive field and step, in pixels of the image, of one element of each slot's output and of its input."""

    stride: Floats
    field: Floats
    in_stride: Floats
    in_field: Floats

    @classmethod
    def of(cls, table: LayerTable) -> "Steps":
        """Along the chain; behind a side branch the figures mean nothing."""
        stride = running(np.multiply, table.stride.T.astype(np.float64))
        in_stride = _shifted(stride)
        field = (table.kernel.T - 1) * in_stride
        field[:1] += 1.0
        field = running(np.add, field)
        return cls(stride, field, in_stride, _shifted(field))


def _shifted(values: Floats) -> Floats:
    """The value before each slot; 1, that of the image, before the first."""
    result = np.ones_like(values)
    result[1:] = values[:-1]
    return result


def admits_split(table: LayerTable) -> Bools:
    """Slots `(slots, n)` after which a schedule may be split.

    A block ends there, its output is read behind, nothing made before it (nor the image) is read behind, and up to it
    the network is a chain: each operator reads what the one before it made, and none needs the whole map.
    """
    result = np.zeros((table.slots, len(table)), dtype=bool)
    early = table.first(_longest_chain(table))
    own = np.arange(early.slots)[:, None]
    ends = (early.cut & early.present).T & (own < early.last_use.T)
    reaches = running(np.maximum, np.where(early.present, early.last_use, -1).T)
    ends &= image_last_read(table) <= own
    ends[1:] &= reaches[:-1] <= own[1:]
    chain = (early.before == early.input_a.T) | (early.before == early.input_b.T)
    whole = early.mask_of(*_WHOLE_MAP)[:, None]
    ends &= ~running(np.logical_or, early.present.T & (whole | ~chain))
    result[: early.slots] = ends
    return result


def stage_end(table: LayerTable, layers: Sequence[Layer], patches: int, split: int) -> int:
    """Position in `layers`, those of a table of height one, of the last operator of a stage of `patches` x `patches`
    patches over `split` blocks; `WrongUse` where the network does not admit that.
    """
    admitted = admits_split(table)[table.present[0], 0]
    cuts = [i for i, layer in enumerate(layers) if layer.cut]
    ends = {number: i for number, i in enumerate(cuts, start=1) if admitted[i] and i + 1 < len(layers)}
    if split not in ends:
        known = ", ".join(map(str, ends)) or "none"
        raise WrongUse(f"no patch stage can end after block {split}, only after: {known} (or patches=1, split=0)")
    last = layers[ends[split]]
    sides = (last.out_height, last.out_width)
    if patches < 2 or any(-(-side // patches) * (patches - 1) >= side for side in sides):
        map_size = f"{sides[0]} x {sides[1]} map after block {split}"
        raise WrongUse(f"{patches} x {patches} patches of the {map_size}: take at least 2 x 2 and leave none empty")
    return ends[split]


def _longest_chain(table: LayerTable) -> int:
    """Slots before the first that needs the whole map in every row."""
    for slot in table.slots_of(*_WHOLE_MAP):
        if table.present[:, slot].all():
            return int(slot)
    return table.slots
