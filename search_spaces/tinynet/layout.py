"""A base scaled by depth and width multipliers: the network of one pair, and the operator table of many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.layer_table import IntArray, LayerTable
from search_spaces.core.rounding import make_divisible
from search_spaces.core.space import Blueprint
from search_spaces.core.table_writer import TableWriter
from search_spaces.tinynet.bases import Base, BlockRun

STEM = {"kernel": 3, "stride": 2}


def scaled_repeats(base: Base, depth: float) -> tuple[int, ...]:
    """Blocks of each run: a stage's total is rounded half to even, at least 1, then shared out from its last run on.

    Source: timm's `_scale_stage_depth` with rounding instead of the ceiling, as TinyNet's definitions there use it.
    """
    result: list[int] = []
    for stage in base.stages:
        left, before = max(1, round(sum(run.repeats for run in stage) * depth)), sum(run.repeats for run in stage)
        counts = []
        for run in reversed(stage):
            counts.append(max(1, round(run.repeats / before * left)))
            left, before = left - counts[-1], before - run.repeats
        result += reversed(counts)
    return tuple(result)


def scaled_channels(base: Base, width: float) -> tuple[int, ...]:
    """Output channels of each run, then of the last 1x1 convolution (0 where the base has none that scales)."""
    channels = [make_divisible(run.channels * width, base.divisor) for stage in base.stages for run in stage]
    return (*channels, make_divisible(base.last * width, base.divisor) if base.last else 0)


@dataclass(frozen=True)
class Place:
    """One block: its run, its position in it, and its channels for each width `(widths,)`."""

    run: BlockRun
    number: int
    index: int
    inside: IntArray
    mid: IntArray
    out: IntArray
    squeeze: IntArray

    @property
    def share(self) -> float:
        """Of squeeze-excite's bottleneck; 0 for none."""
        return 0.0 if self.run.squeeze_second and self.index % 2 == 0 else self.run.squeeze

    @property
    def stride(self) -> int:
        """Of the block; that of its run where it is the first."""
        return self.run.stride if self.index == 0 else 1

    @property
    def residual(self) -> NDArray[np.bool_]:
        """For each width, whether the block's input can be added as it is."""
        same: NDArray[np.bool_] = self.inside == self.out
        return same & bool(self.stride == 1 and self.run.skip)


class Layout:
    """All networks of some depth and width multipliers over one base; see `search_spaces/blocks/mbconv.py`."""

    module: ClassVar[str] = "search_spaces.blocks.mbconv"
    network: ClassVar[str] = "MbconvNetwork"

    def __init__(self, base: Base, depths: Sequence[float], widths: Sequence[float]) -> None:
        self.base = base
        self._repeats = np.array([scaled_repeats(base, depth) for depth in depths], dtype=np.int32)
        self._channels = np.array([scaled_channels(base, width) for width in widths], dtype=np.int32)

    @property
    def last(self) -> IntArray:
        """Channels of the last 1x1 convolution that scales, for each width `(widths,)`."""
        return self._channels[:, -1]

    @cached_property
    def _places(self) -> list[Place]:
        """Every block of the deepest network."""
        places = []
        inside: IntArray = np.full(len(self._channels), self.base.stem, dtype=np.int32)
        runs = [run for stage in self.base.stages for run in stage]
        for number, run in enumerate(runs):
            out = self._channels[:, number]
            for index in range(int(self._repeats[:, number].max())):
                before = inside if index == 0 else out
                mid = _each(before, self._widened(run)) if run.expand != 1 else before
                place = Place(run, number, index, before, mid, out, np.zeros_like(out))
                squeeze = _each(before if self.base.squeeze_from_input else mid, self._bottleneck(place.share))
                places.append(replace(place, squeeze=squeeze))
            inside = out
        return places

    def _widened(self, run: BlockRun) -> Any:
        return lambda channels: make_divisible(channels * run.expand, self.base.divisor)

    def _bottleneck(self, share: float) -> Any:
        if self.base.squeeze_from_input:
            return lambda channels: round(channels * share)
        return lambda channels: make_divisible(channels * share, self.base.divisor) if share else 0

    def present(self, depth: int) -> list[Place]:
        """The blocks of one depth by position."""
        return [place for place in self._places if place.index < self._repeats[depth, place.number]]

    def blueprint(self, depth: int, width: int, input_size: Sequence[int], classes: int) -> Blueprint:
        """How to build the network of one pair of multipliers by position."""
        return Blueprint(self.module, self.network, self.arguments(depth, width, input_size, classes))

    def arguments(self, depth: int, width: int, input_size: Sequence[int], classes: int) -> dict[str, Any]:
        """Those of `MbconvNetwork` for one pair of multipliers by position."""
        base = self.base
        blocks = [_block(place, width, base) for place in self.present(depth)]
        last = int(self.last[width])
        return {
            "input_size": list(input_size),
            "stem": {"out": base.stem, **STEM},
            "blocks": blocks,
            "mix": last or base.head,
            "classes": classes,
            "hidden": base.head if last else 0,
            "activation": base.activation,
            "squeeze": list(base.gate),
        }

    def table(
        self,
        depth: NDArray[Any],
        width: NDArray[Any],
        size: tuple[Any, Any],
        channels: int,
        classes: int,
        common_residuals: bool = False,
    ) -> LayerTable:
        """Rows of positions of multipliers and of (height, width) of the picture, each `(n,)`.

        `common_residuals`: only additions that networks of every width have.
        """
        writer = TableWriter(len(depth), channels, *size)
        writer.conv("stem", self.base.stem, STEM["kernel"], STEM["stride"])
        writer.cut()
        for place in self._places:
            self.write_block(writer, place, self._repeats[depth, place.number] > place.index, width, common_residuals)
        last = self.last[width]
        writer.conv("mix", last if self.base.last else self.base.head)
        writer.pool("pool")
        if self.base.last:
            writer.linear("hidden", self.base.head)
        writer.linear("classifier", classes)
        return writer.table()

    def write_block(
        self,
        writer: TableWriter,
        place: Place,
        exists: NDArray[np.bool_],
        width: NDArray[Any],
        common_residuals: bool,
    ) -> None:
        """One block in the rows in which it exists; see `table`."""
        here: Any = True if exists.all() else exists
        name, start = f"run{place.number}.block{place.index}", writer.current
        if place.run.expand != 1:
            writer.conv(f"{name}.expand", place.mid[width], here=here)
        writer.depthwise(f"{name}.depthwise", place.run.kernel, place.stride, here=here)
        if place.share:
            writer.squeeze(name, place.squeeze[width], here=here)
        writer.conv(f"{name}.project", place.out[width], here=here)
        residual = np.full(len(width), place.residual.all()) if common_residuals else place.residual[width]
        residual = residual & exists
        if residual.any():
            writer.add(f"{name}.add", start, here=True if residual.all() else residual)
        writer.cut()


def _block(place: Place, width: int, base: Base) -> dict[str, Any]:
    run = place.run
    return {
        "in": int(place.inside[width]),
        "mid": int(place.mid[width]) if run.expand != 1 else 0,
        "out": int(place.out[width]),
        "kernel": run.kernel,
        "stride": place.stride,
        "residual": bool(place.residual[width]),
        "squeeze": int(place.squeeze[width]),
        "activation": run.activation or base.activation,
    }


def _each(channels: IntArray, rule: Any) -> IntArray:
    return np.array([rule(int(c)) for c in channels], dtype=np.int32)
