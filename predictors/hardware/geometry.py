"""How large a patch of every tensor is, and which bytes are alive where, for a whole population.

A patch of `g` rows of the split's output needs `(reach + b) / stride` rows of the tensor made by slot `t`, with
reach = field + (g - 1) * stride at the split and b = stride - field at `t`, where field and stride are the receptive
field and the step of one output of `t` on the image. So heights, bytes and MACs of all splits and grids are forms
`a * Rh * Rw + b * (Rh + Rw) + c` in the reach, whose coefficients are computed once.

Arrays here are `(slots, n)`: every slot contiguous. Networks are chains with skip connections; a side branch inside a
patch stage (squeeze-excite, attention, pooling) needs the whole map, so no split lies behind one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import Kind, LayerTable

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_WHOLE_MAP = (Kind.POOL, Kind.LINEAR, Kind.MATMUL)


@dataclass(frozen=True)
class Form:
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

    def take(self, slots: slice, rows: NDArray[np.intp]) -> "Form":
        """The coefficients of some slots and rows."""
        return Form(self.square[slots, rows], self.linear[slots, rows], self.constant[slots, rows])

    def at(self, product: Floats, total: Floats) -> Floats:
        """Values for Rh * Rw = `product` and Rh + Rw = `total`, both `(n,)`."""
        values = self.square * product
        values += self.linear * total
        values += self.constant
        return values


def alive(values: Floats, last_use: NDArray[np.integer]) -> Floats:
    """For every slot the sum of `values` of the tensors that were made before it and are read by it or later."""
    slots, n = values.shape
    ends = (last_use.astype(np.int64) + 1) * n + np.arange(n)
    change = np.bincount(ends.ravel(), weights=values.ravel(), minlength=(slots + 1) * n).reshape(slots + 1, n)
    np.negative(change, out=change)
    change[1:] += values
    result: Floats = np.cumsum(change, axis=0)[:slots]
    return result


def accumulated(table: LayerTable) -> Bools:
    """Slots whose output is written straight onto the second input of the addition that alone reads it."""
    result = np.zeros(table.present.T.shape, dtype=bool)
    rows = np.arange(len(table))
    adds = table.of_kind(Kind.ADD)
    for slot in np.flatnonzero(adds.any(axis=0)):
        source = table.input_a[:, slot]
        alone = table.last_use[rows, source] == slot
        result[source, rows] |= adds[:, slot] & alone & (table.input_b[:, slot] < source)
    return result


def output_weight(table: LayerTable, rule: MemoryRule) -> tuple[Floats, Floats]:
    """Bytes per output position that a tensor occupies while alive, and while it is being made (0 where in place)."""
    channels = table.out_channels.T.astype(np.float64)
    if rule.accumulates:
        channels = np.where(accumulated(table), 0.0, channels)
    in_place = table.of_kind(*rule.in_place) & (table.out_channels <= table.in_channels)
    return channels, np.where(in_place.T, 0.0, channels)


def steps(table: LayerTable) -> tuple[Floats, Floats]:
    """`stride` and `field` (pixels of the image) of one output of each slot."""
    stride = np.cumprod(table.stride.T, axis=0, dtype=np.float64)
    before = np.concatenate([np.ones((1, stride.shape[1])), stride[:-1]])
    return stride, 1.0 + np.cumsum((table.kernel.T - 1) * before, axis=0)


def admits_split(table: LayerTable) -> Bools:
    """Slots after which a schedule may be split: a block ends, nothing made before is read later, no whole map needed."""
    last_use = np.where(table.present, table.last_use, -1).T
    reaches = np.maximum.accumulate(last_use, axis=0)
    crossing = np.zeros(last_use.shape, dtype=bool)
    crossing[1:] = reaches[:-1] > np.arange(1, len(last_use))[:, None]
    whole = np.logical_or.accumulate(table.of_kind(*_WHOLE_MAP).T, axis=0)
    return (table.cut & table.present).T & ~crossing & ~whole
