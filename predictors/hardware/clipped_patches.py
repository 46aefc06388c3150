"""Patches that hold and compute only what lies in the map: those at its border are smaller, as generated C has them.

An axis is cut into `grid` ranges of the split's output, all of ceil(side / grid) but the last, which is what remains.
Range a..b needs, of the tensor that slot t makes, the elements from (a * stride + shift) / stride_t to
((b - 1) * stride + field - field_t + shift) / stride_t, where stride and field are those of the split and shift the
padding between t and the split in pixels of the image. What of these lies outside of the map is padding and is neither
stored nor computed. A tensor has room for its tallest and its widest patch. The split's output is written straight into
its whole buffer.

Arrays here are `(slots, n)`: every slot contiguous.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.hardware.liveness import Floats, alive, plane_bytes, running
from search_spaces.core.layer_table import Kind, LayerTable


class Sides(NamedTuple):
    """Along one axis: the most elements of any patch, and their sum over the patches."""

    most: Floats
    total: Floats


@dataclass(frozen=True)
class Axis:
    """One axis of the maps that each slot makes: `side` `(slots, n)`, step and receptive field of an element on the
    image, and `origin`, the pixel at which the field of the first element begins (0 or less). `kernel`,
    `step` (stride) and `before` (padding) are the slot's own; `ragged`: some slot leaves a rest of its input unread.
    """

    side: Floats
    stride: Floats
    field: Floats
    origin: Floats
    kernel: NDArray[np.integer]
    step: NDArray[np.integer]
    before: NDArray[np.integer]
    ragged: bool

    @classmethod
    def of(cls, table: LayerTable, stride: Floats, field: Floats, name: str) -> "Axis":
        """Of a table's `name`, height or width."""
        given, made = (getattr(table, f"{end}_{name}").T.astype(np.int64) for end in ("in", "out"))
        before = padding_before(given, made, table.kernel.T, table.stride.T)
        above = np.ones_like(stride)
        above[1:] = stride[:-1]
        kernel, step = table.kernel.T, table.stride.T
        ragged = bool(((made - 1) * step - before + kernel < given).any())
        return cls(
            made.astype(np.float64), stride, field, -running(np.add, before * above), kernel, step, before, ragged
        )

    def used(self, slot: int, rows: NDArray[np.intp], first: int) -> Floats:
        """Elements of each slot's map that the split at `slot` depends on: all of it, unless strides leave a rest."""
        side = self.side[first : slot + 1, rows]
        if self.ragged:
            for t in range(len(side) - 1, 0, -1):
                at = first + t, rows
                read = (side[t] - 1) * self.step[at] - self.before[at] + self.kernel[at]
                np.minimum(side[t - 1], np.maximum(read, 0), out=side[t - 1])
        return side

    def sides(self, slot: int, rows: NDArray[np.intp], grid: int, first: int = 0) -> Sides:
        """Of slots `first` to `slot` for patches over a split at `slot`, in some rows."""
        side = self.used(slot, rows, first)
        stride, field, origin = (part[first : slot + 1, rows] for part in (self.stride, self.field, self.origin))
        grain = np.ceil(side[-1] / grid)
        most, total = np.zeros_like(side), np.zeros_like(side)
        # where the elements from the first to the last of a range begin, in elements of each slot
        begin = (origin[-1] - origin) / stride
        reach = (field[-1] - field) / stride + 1
        step = stride[-1] / stride
        for place in range(grid):
            start, end = place * grain, np.minimum((place + 1) * grain, side[-1])
            high = np.minimum(begin + (end - 1) * step + reach, side)
            length = high - np.maximum(begin + start * step, 0.0)
            np.maximum(most, length, out=most)
            total += np.maximum(length, 0.0)
        return Sides(np.rint(most), np.rint(total))


def padding_before(given: ArrayLike, made: ArrayLike, kernel: ArrayLike, stride: ArrayLike) -> NDArray[np.int64]:
    """Rows of padding before a map of `given` rows: kernel // 2 where that makes `made` rows, else none.

    >>> padding_before([8, 8], [4, 4], [3, 2], [2, 2]).tolist()
    [1, 0]
    """
    given, made, kernel, stride = (np.asarray(each, dtype=np.int64) for each in (given, made, kernel, stride))
    half = kernel // 2
    explained = (given + 2 * half - kernel) // stride + 1 == made
    return np.where(explained, half, 0)


def leaves_rest(table: LayerTable) -> NDArray[np.bool_]:
    """Rows `(n,)` in which some operator leaves the end of its input unread: patches then compute less than the whole
    network does, where they compute nothing twice.
    """
    found = np.zeros(len(table), dtype=bool)
    kernel, stride = table.kernel.T.astype(np.int64), table.stride.T
    for name in ("height", "width"):
        given, made = (getattr(table, f"{end}_{name}").T for end in ("in", "out"))
        before = padding_before(given, made, kernel, stride)
        found |= ((made - 1) * stride - before + kernel < given).any(axis=0)
    return found


class ClippedPatches:
    """Bytes and positions of every operator in a patch stage of some networks under a rule that clips.

    `channels`: bytes a position of each slot's tensor, 0 where it is written onto another.
    """

    def __init__(self, table: LayerTable, stride: Floats, field: Floats, channels: Floats, in_place: Any, step: int):
        self.table, self.channels, self.in_place, self.step = table, channels, in_place, step
        self.height, self.width = (Axis.of(table, stride, field, name) for name in ("height", "width"))
        self.dense = alive(channels, table.last_use.T) + channels * ~in_place
        area = self.dense * self.height.side * self.width.side
        self.densest = area.argmax(axis=0) if len(area) else np.zeros(area.shape[1], dtype=np.intp)

    def positions(self, slot: int, rows: NDArray[np.intp], grid: int) -> Floats:
        """Output positions that each slot computes over all patches, `(slot + 1, n)`."""
        positions: Floats = self.height.sides(slot, rows, grid).total * self.width.sides(slot, rows, grid).total
        return positions

    def bytes_alive(self, slot: int, rows: NDArray[np.intp], grid: int) -> Floats:
        """The most bytes `(n,)` alive at one operator of a patch, beside the split's output."""
        if slot == 0:
            return np.zeros(len(rows))
        heights, widths = (axis.sides(slot, rows, grid).most for axis in (self.height, self.width))
        sizes = self._rounded(self.channels[: slot + 1, rows] * heights * widths)
        table, last_use = self.table, self.table.last_use.T[: slot + 1, rows]
        own = sizes * ~self.in_place[: slot + 1, rows]
        for deep in table.slots_of(Kind.DEPTHWISE):
            if deep < slot:
                kernel, stride = table.kernel.T[deep, rows], table.stride.T[deep, rows]
                plane = plane_bytes(heights[deep], widths[deep], kernel, stride, self.step)
                over = self.in_place[deep, rows]
                own[deep] = np.where(over, np.minimum(sizes[deep], plane), own[deep])
        own[-1] = 0.0  # straight into the whole buffer
        total = alive(sizes, last_use)
        total += own
        most: Floats = total.max(axis=0)
        return most

    def at_least(self, slot: int, rows: NDArray[np.intp], grid: int) -> Floats:
        """A bound of the same from below, of one operator alone: what is alive has at least its output's positions."""
        bound = np.zeros(len(rows))
        for densest in np.unique(self.densest[rows]):
            if densest < slot:
                here = self.densest[rows] == densest
                some = rows[here]
                sides = [axis.sides(slot, some, grid, int(densest)).most[0] for axis in (self.height, self.width)]
                bound[here] = self.dense[densest, some] * sides[0] * sides[1]
        return bound

    def _rounded(self, sizes: Floats) -> Floats:
        rounded: Floats = np.ceil(sizes / self.step) * self.step
        return rounded
