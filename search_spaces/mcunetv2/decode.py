"""A population of the space as an operator table, all rows at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, IntArray, Kind, LayerTable
from search_spaces.mcunetv2.layout import DEPTHS, EXPANSIONS, BlockPlace, Layout
from search_spaces.mcunetv2.settings import Mcunetv2Settings, size_at

_BATCH_NORM, _BIAS = 2, 1
_WRITTEN = ("in_channels", "out_channels", "input_a", "input_b", "last_use", "kernel", "groups")


class _Decoder:
    """Writes one slot at a time; columns are kept `(slots, n)` so that each write is contiguous."""

    def __init__(self, layout: Layout, matrix: NDArray[np.int16]) -> None:
        self.layout, self.matrix = layout, matrix.T
        slots, n = len(layout.slot_names), len(matrix)
        self.columns: dict[str, IntArray] = {name: np.zeros((slots, n), dtype=np.int32) for name in _WRITTEN}
        self.columns["input_b"][:] = NO_INPUT
        self.columns["last_use"][:] = np.arange(slots, dtype=np.int32)[:, None]
        for name in ("kernel", "groups"):
            self.columns[name][:] = 1
        self.present = np.zeros((slots, n), dtype=bool)
        self.cut = np.zeros((slots, n), dtype=bool)
        self.rows = np.arange(n)
        self.source: IntArray = np.full(n, NETWORK_INPUT, dtype=np.int32)
        self.width: IntArray = np.zeros(n, dtype=np.int32)

    def option(self, column: int, values: tuple[int, ...]) -> IntArray:
        return np.array(values, dtype=np.int32)[self.matrix[column]]

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
        # a row whose stage is shallower lacks the whole block: all its channels are written as zero
        exists: Any = np.int32(1)
        if place.depth >= 0 and place.needed_depth > min(DEPTHS):
            exists = (self.option(place.depth, DEPTHS) >= place.needed_depth).astype(np.int32)
        kernel = self.option(place.kernel, place.kernels)
        out = self.option(place.width, place.channels)
        inside = self.width * exists
        slot = place.slot
        made_by: Any = self.source
        middle = inside
        if place.expand >= 0:
            middle = inside * self.option(place.expand, EXPANSIONS)
            self.write(slot, exists, in_channels=inside, out_channels=middle, input_a=self.source)
            made_by, slot = slot, slot + 1
        made_by = self._depthwise(slot, middle, kernel, made_by)
        self._project(place, slot + 1, middle, made_by, exists, out)

    def _depthwise(self, slot: int, middle: IntArray, kernel: IntArray, made_by: Any) -> IntArray:
        here = (kernel > 1) & (middle > 0)
        channels = middle * here
        cells = {"in_channels": channels, "out_channels": channels, "input_a": made_by}
        self.write(slot, here, **cells, kernel=np.where(here, kernel, 1), groups=np.maximum(channels, 1))
        if not isinstance(made_by, np.ndarray):
            self.columns["last_use"][made_by] = np.where(here, slot, slot + 1) * (middle > 0) + made_by * (middle == 0)
        self.columns["last_use"][slot] = slot + here
        return np.where(here, slot, made_by)

    def _project(self, place: BlockPlace, slot: int, middle: IntArray, made_by: IntArray, exists: Any, out: IntArray) -> None:
        self.write(slot, exists, in_channels=middle, out_channels=out * exists, input_a=made_by)
        last: Any = np.int32(slot)
        # the block's input is read by its first operator, and where there is a residual again by the addition
        first = place.slot if place.expand >= 0 else np.where(self.present[place.slot], place.slot, slot)
        read: Any = first
        if place.stride == 1:
            residual = (self.width == out) & (exists > 0)
            channels = out * residual
            cells = {"in_channels": channels, "out_channels": channels, "input_a": slot}
            self.write(slot + 1, residual, **cells, input_b=np.where(residual, self.source, NO_INPUT))
            self.columns["last_use"][slot] = slot + residual
            last = slot + residual
            self.cut[slot + 1] = residual
            read = np.where(residual, slot + 1, first)
        here = np.broadcast_to(np.asarray(exists, dtype=bool), self.source.shape)
        self.cut[slot] = here & (last == slot)
        readers = self.columns["last_use"][self.source, self.rows]
        self.columns["last_use"][self.source, self.rows] = np.where(here, read, readers)
        self.source = np.where(here, last, self.source).astype(np.int32)
        self.width = np.where(here, out, self.width)

    def head(self, classes: int) -> None:
        pool = len(self.layout.slot_names) - 2
        self.write(pool, True, in_channels=self.width, out_channels=self.width, input_a=self.source)
        self.columns["last_use"][self.source, self.rows] = pool
        self.columns["last_use"][pool] = pool + 1
        self.write(pool + 1, True, in_channels=self.width, out_channels=classes, input_a=pool)


def _static_columns(layout: Layout) -> dict[str, IntArray]:
    """Stride, kind and learned values per channel: equal in every row."""
    strides = [2] + [b.stride if o == "depthwise" else 1 for b in layout.blocks for o in b.operators] + [1, 1]
    kinds = layout.kinds
    params = {Kind.CONV: _BATCH_NORM, Kind.DEPTHWISE: _BATCH_NORM, Kind.LINEAR: _BIAS}
    return {
        "stride": np.array(strides, dtype=np.int32),
        "kind": np.array(kinds, dtype=np.int32),
        "channel_params": np.array([params.get(kind, 0) for kind in kinds], dtype=np.int32),
    }


def _sizes(layout: Layout, settings: Mcunetv2Settings, strides: IntArray) -> dict[str, IntArray]:
    """Heights and widths before and after every slot, `(slots, resolutions)`."""
    sides: dict[str, list[list[int]]] = {name: [] for name in ("in_height", "out_height", "in_width", "out_width")}
    for resolution in settings.resolutions:
        for axis, side in zip(("height", "width"), size_at(resolution, settings.aspect), strict=True):
            before, after = [], []
            for stride in strides[:-2]:
                before.append(side)
                side = -(-side // int(stride))
                after.append(side)
            sides[f"in_{axis}"].append([*before, side, 1])
            sides[f"out_{axis}"].append([*after, 1, 1])
    return {name: np.array(rows, dtype=np.int32).T for name, rows in sides.items()}


def decode(layout: Layout, settings: Mcunetv2Settings, matrix: NDArray[np.int16]) -> LayerTable:
    """The table `(n, slots)` of the rows of `matrix`, which must be canonical."""
    decoder = _Decoder(layout, matrix)
    decoder.stem(settings.channels)
    for place in layout.blocks:
        decoder.block(place)
    decoder.head(settings.classes)
    static = _static_columns(layout)
    shape = (len(matrix), len(layout.slot_names))
    resolution = matrix[:, layout.resolution]
    sizes = _sizes(layout, settings, static["stride"])
    return LayerTable(
        slot_names=layout.slot_names,
        present=decoder.present.T,
        cut=decoder.cut.T,
        **{name: column.T for name, column in decoder.columns.items()},
        **{name: np.take(column, resolution, axis=1).T for name, column in sizes.items()},
        **{name: np.broadcast_to(column, shape) for name, column in static.items()},
    )


