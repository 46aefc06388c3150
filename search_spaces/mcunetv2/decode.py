"""A population of the space as an operator table, all rows at once.

Everything here is `(n,)` or `(slots, n)` and int32: the table is priced by the hundred thousand, and a pass over int32
columns that lie slot by slot in memory costs a tenth of one over rows or masks. So a row that lacks a block is
expressed by arithmetic with 0 and 1, not by selection.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.aspect import size_at
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, IntArray, Kind, LayerTable
from search_spaces.mcunetv2.layout import DEPTHS, EXPANSIONS, BlockPlace, Layout
from search_spaces.mcunetv2.settings import Mcunetv2Settings

_BATCH_NORM, _BIAS = 2, 1
_LEARNED = {Kind.CONV: _BATCH_NORM, Kind.DEPTHWISE: _BATCH_NORM, Kind.LINEAR: _BIAS}


def decode(layout: Layout, settings: Mcunetv2Settings, matrix: NDArray[np.int16]) -> LayerTable:
    """The table `(n, slots)` of the rows of `matrix`."""
    decoder = _Decoder(layout, matrix)
    decoder.stem(settings.channels)
    for place in layout.blocks:
        decoder.block(place)
    decoder.head(settings.classes)
    decoder.readers()
    shape = (len(matrix), len(layout.slot_names))
    strides = _strides(layout)
    learned = [_LEARNED.get(kind, 0) for kind in layout.kinds]
    columns: dict[str, Any] = {name: column.T for name, column in decoder.columns.items()}
    columns |= _sizes(settings, strides, decoder.matrix[layout.resolution])
    return LayerTable(
        slot_names=layout.slot_names,
        kinds=layout.kinds,
        present=decoder.present.T,
        cut=decoder.cut.T,
        stride=np.broadcast_to(np.array(strides, dtype=np.int32), shape),
        channel_params=np.broadcast_to(np.array(learned, dtype=np.int32), shape),
        **columns,
    )


class _Decoder:
    """Writes one slot at a time, from the stem to the classifier, then goes back to tell who reads which slot last."""

    def __init__(self, layout: Layout, matrix: NDArray[np.int16]) -> None:
        self.layout, self.matrix = layout, np.ascontiguousarray(matrix.T)
        shape = (len(layout.slot_names), len(matrix))
        empty = {
            "in_channels": 0,
            "out_channels": 0,
            "input_a": NO_INPUT,
            "input_b": NO_INPUT,
            "kernel": 1,
            "groups": 1,
        }
        self.columns: dict[str, IntArray] = {
            name: np.full(shape, value, dtype=np.int32) for name, value in empty.items()
        }
        self.columns["last_use"] = np.repeat(np.arange(shape[0], dtype=np.int32)[:, None], shape[1], axis=1)
        self.present = np.zeros(shape, dtype=bool)
        self.cut = np.zeros(shape, dtype=bool)
        # the newest tensor of each row: the slot that made it, and its channels
        self.source: IntArray = np.full(shape[1], NETWORK_INPUT, dtype=np.int32)
        self.width: IntArray = np.zeros(shape[1], dtype=np.int32)
        self.exists: list[Any] = []
        self.residual: list[Any] = []

    def option(self, column: int, values: tuple[int, ...]) -> IntArray:
        chosen: IntArray = np.take(np.array(values, dtype=np.int32), self.matrix[column], mode="clip")
        return chosen

    def write(self, slot: int, present: Any, **cells: Any) -> None:
        self.present[slot] = present
        for name, value in cells.items():
            self.columns[name][slot] = value

    def stem(self, channels: int) -> None:
        self.width = self.option(self.layout.stem_width, self.layout.stem_channels)
        self.write(0, True, in_channels=channels, out_channels=self.width, input_a=NETWORK_INPUT, kernel=3)
        self.cut[0] = True
        self.source = np.zeros_like(self.source)

    def block(self, place: BlockPlace) -> None:
        """A row whose stage is shallower lacks the whole block: `exists` is 0 there, and so are all its channels."""
        exists: Any = np.int32(1)
        if place.optional:
            exists = (self.option(place.depth, DEPTHS) >= place.needed_depth).astype(np.int32)
        kernel = self.option(place.kernel, place.kernels)
        out = self.option(place.width, place.channels)
        middle = inside = self.width * exists
        slot, made_by = place.slot, self.source
        if place.expand >= 0:
            middle = inside * self.option(place.expand, EXPANSIONS)
            self.write(slot, exists, in_channels=inside, out_channels=middle, input_a=_or_none(self.source, exists))
            made_by, slot = np.full_like(made_by, slot), slot + 1
        deep = (kernel > 1) * exists
        channels, own_kernel = middle * deep, 1 + (kernel - 1) * deep
        cells = {"in_channels": channels, "out_channels": channels, "input_a": _or_none(made_by, deep)}
        self.write(slot, deep, kernel=own_kernel, groups=channels + 1 - deep, **cells)
        made_by = made_by + (slot - made_by) * deep
        self.project(place, slot + 1, (middle, out * exists), _or_none(made_by, exists), exists)
        self.width = self.width + (out - self.width) * exists

    def project(
        self, place: BlockPlace, slot: int, channels: tuple[IntArray, IntArray], made_by: IntArray, exists: Any
    ) -> None:
        inside, out = channels
        self.write(slot, exists, in_channels=inside, out_channels=out, input_a=made_by)
        residual: Any = np.int32(0)
        if place.residual:
            residual = (self.width == out).astype(np.int32) * exists
            cells = {"in_channels": out * residual, "out_channels": out * residual}
            inputs = {"input_a": _or_none(slot, residual), "input_b": _or_none(self.source, residual)}
            self.write(slot + 1, residual, **cells, **inputs)
            self.cut[slot + 1] = residual
        self.cut[slot] = exists - residual
        self.source = self.source + (slot + residual - self.source) * exists
        self.exists.append(exists)
        self.residual.append(residual)

    def head(self, classes: int) -> None:
        pool = len(self.layout.slot_names) - 2
        self.write(pool, True, in_channels=self.width, out_channels=self.width, input_a=self.source)
        self.write(pool + 1, True, in_channels=self.width, out_channels=classes, input_a=pool)

    def readers(self) -> None:
        """Fills `last_use`, backwards: `reader` is the last slot that reads the tensor between two blocks."""
        last_use = self.columns["last_use"]
        pool = len(last_use) - 2
        last_use[pool] = pool + 1
        reader: Any = np.full_like(self.source, pool)
        for place, exists, residual in reversed(list(zip(self.layout.blocks, self.exists, self.residual, strict=True))):
            expand, depthwise = (place.slot, place.slot + 1) if place.expand >= 0 else (-1, place.slot)
            project = depthwise + 1
            if place.residual:
                last_use[project + 1] += (reader - (project + 1)) * residual
            last_use[project] += (reader - project) * exists + (project + 1 - reader) * residual
            deep = self.present[depthwise]
            last_use[depthwise] += deep
            first: Any = project - deep.astype(np.int32)
            if expand >= 0:
                last_use[expand] += (first - expand) * exists
                first = expand
            reader = reader + (first - reader) * exists + (project + 1 - first) * residual
        last_use[0] = reader


def _or_none(slot: Any, here: Any) -> Any:
    """`slot` where `here` is 1, `NO_INPUT` where it is 0."""
    return (slot - NO_INPUT) * here + NO_INPUT


def _strides(layout: Layout) -> list[int]:
    inner = [block.stride if operator == "depthwise" else 1 for block in layout.blocks for operator in block.operators]
    return [layout.stem_stride, *inner, 1, 1]


def _sizes(settings: Mcunetv2Settings, strides: list[int], resolution: NDArray[np.int16]) -> dict[str, IntArray]:
    """Heights and widths before and after every slot; what a slot makes, the next one reads."""
    heights: list[list[int]] = []
    widths: list[list[int]] = []
    for side in settings.resolutions:
        for sides, pixels in zip((heights, widths), size_at(side, settings.aspect), strict=True):
            column = [pixels]
            for stride in strides[:-2]:
                column.append(-(-column[-1] // stride))
            sides.append([*column, 1, 1])
    height, width = (
        np.take(np.array(sides, dtype=np.int32).T, resolution, axis=1, mode="clip").T for sides in (heights, widths)
    )
    return {
        "in_height": height[:, :-1],
        "out_height": height[:, 1:],
        "in_width": width[:, :-1],
        "out_width": width[:, 1:],
    }
