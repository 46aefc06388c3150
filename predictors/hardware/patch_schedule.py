"""Peak SRAM and MACs of every patch schedule of a population, and which schedule to choose.

A schedule is layer by layer, or `p x p` patches up to a split: the image is cut so that each patch computes its part of
the split's output, whose whole buffer is alive from the start; behind the split the network runs layer by layer.
Rules:

- grain: every patch computes ceil(side / p) rows and columns of the split's output, the last what remains; a grid whose
  last patch would be empty is left out;
- border patches are computed at the full, padded size, as TinyEngine's generator does (MCUNetV2's +42 % of Table 1),
  unless the rule clips them (then its "overall +10 %");
- a held tensor inside a patch (residual) counts at its own patch size;
- with limits the schedule of least MACs among those that fit, else the one of least peak; ties by the other, then layer
  by layer, then the earlier split, then the smaller grid.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.clipped_patches import ClippedPatches, leaves_rest
from predictors.hardware.geometry import Form, Steps, admits_split
from predictors.hardware.layerwise import Layerwise
from predictors.hardware.liveness import Bools, Floats, Liveness, round_up, running
from search_spaces.core.layer_table import Kind

GRIDS = (2, 3, 4)

Rows = NDArray[np.intp]


@dataclass
class Chosen:
    """The schedule of each row so far; `split` counts block ends (1: after the first convolution), 0 layer by layer."""

    peak_bytes: Floats
    macs: Floats
    patches: NDArray[np.int64]
    split: NDArray[np.int64]

    @classmethod
    def layer_by_layer(cls, peak_bytes: Floats, macs: Floats) -> "Chosen":
        """The start: no patches."""
        n = len(macs)
        return cls(peak_bytes.copy(), macs.copy(), np.ones(n, dtype=np.int64), np.zeros(n, dtype=np.int64))

    def put(self, rows: Rows, other: "Chosen") -> None:
        """Replaces the schedules of `rows` by those of `other`."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def take_if_better(self, rows: Rows, candidate: "Chosen", by_macs: bool) -> None:
        """Replaces the schedules of `rows` where these are better; see the module's rule on ties."""
        names = ("macs", "peak_bytes") if by_macs else ("peak_bytes", "macs")
        better, same = np.zeros(len(rows), dtype=bool), np.ones(len(rows), dtype=bool)
        for name in (*names, "split", "patches"):
            new, now = getattr(candidate, name), getattr(self, name)[rows]
            better |= same & (new < now)
            same &= new == now
            if not same.any():
                break
        if better.any():
            self.put(rows[better], candidate.select(better))

    def select(self, rows: Bools) -> "Chosen":
        """The schedules of some rows."""
        return Chosen(*(getattr(self, field.name)[rows] for field in fields(self)))


class PatchSchedules:
    """Prices every patch schedule of some networks under one memory rule.

    Arrays are `(slots, n)` and end with the last slot that a patch stage of some row may end with.
    """

    def __init__(self, layerwise: Layerwise, strict: bool = False) -> None:
        """`strict`: only schedules that the runtime's own generator accepts."""
        table, self.rule = layerwise.table, layerwise.rule
        self.generator = self.rule.generator if strict else None
        splits = admits_split(table)
        stop = int(np.flatnonzero(splits.any(axis=1)).max(initial=-1)) + 1
        self.splits = splits[:stop]
        self.table = table = table.first(stop)
        self.accepted_stages = None if self.generator is None else self.generator.stages(table)
        self.height, self.width = table.out_height.T, table.out_width.T
        self.steps = Steps.of(table)
        self.split_number = running(np.add, (table.cut & table.present).T.astype(np.int64))
        # [j]: the sum, or the largest value, behind slot j
        self.macs_behind = _behind(np.add, layerwise.macs.T, stop)
        live = layerwise.live
        self.map_bytes, self.fixed_bytes = live.map_bytes[:stop], live.constant
        self.work_behind = _behind(np.maximum, live.work, stop)
        self.image_bytes = live.image_bytes
        self.work_each = layerwise.work.T[:stop].astype(np.float64)
        if self.rule.clips:
            self.narrow = bool((table.kernel < table.stride).any() or leaves_rest(table).any())
            self.macs_layerwise = layerwise.macs.sum(axis=1).astype(np.float64)
            field, stride = self.steps.field, self.steps.stride
            live_parts = live.channels[:stop], live.in_place[:stop]
            self.clipped = ClippedPatches(table, stride, field, *live_parts, self.rule.alignment)
            return
        offset = self.steps.stride - self.steps.field
        self.macs_to = Form.of_map(self.work_each, self.steps.stride, offset).total()
        self._prepare_bytes(live, offset)

    def stage(self, slot: int, rows: Rows) -> "PatchStage":
        """A split at a slot for some rows."""
        return (ClippedStage if self.rule.clips else PatchStage)(self, slot, rows)

    def _prepare_bytes(self, live: Liveness, offset: Floats) -> None:
        """Forms of full, padded patches."""
        stop = len(offset)
        channels = live.channels[:stop]
        maps = Form.of_map(channels, self.steps.stride, offset)
        step = self.rule.alignment
        if step > 1:
            maps.constant[:] += (channels % step > 0) * (step - 1.0)
        self.work = maps.alive(self.table.last_use.T)
        for part, own in zip(self.work, maps, strict=True):
            part += own * ~live.in_place[:stop]
        # of the operators in a stage, the one that takes most bytes for large patches
        self.densest = self.work.square.argmax(axis=0) if stop else np.zeros(self.work.square.shape[1], dtype=np.intp)
        if self.rule.scratch is not None:
            self._prepare_scratch(live.scratch, self.rule.scratch.padded_map_bytes)

    def _prepare_scratch(self, scratch: Floats, padded_map_bytes: int) -> None:
        """The depthwise input maps of a patch stage as forms, and the running maximum of the other buffers."""
        stop = self.table.slots
        self.scratch_behind = _behind(np.maximum, scratch, stop)
        slots = self.depthwise_slots = self.table.slots_of(Kind.DEPTHWISE)
        fixed = scratch[:stop].copy()
        fixed[slots] = 0.0
        self.fixed_scratch_to = running(np.maximum, fixed)
        padded = self.table.kernel.T[slots] // 2 * 2
        stride, field = self.steps.in_stride[slots], self.steps.in_field[slots]
        bytes_each = self.table.present.T[slots].astype(np.float64) * padded_map_bytes
        self.scratch = Form.of_map(bytes_each, stride, stride * (1 + padded) - field)

    def split_slots(self) -> Rows:
        """Slots that end the patch stage of some row."""
        return np.flatnonzero(self.splits.any(axis=1))

    def at_least(self, slot: int) -> Floats:
        """Bytes that a split at `slot` needs whatever the grid: its output, and all that runs behind it."""
        needed: Floats = np.maximum(self.work_behind[slot], self.map_bytes[slot] + self.image_bytes)
        needed += self.fixed_bytes
        if self.rule.scratch is not None:
            needed += np.maximum(self.scratch_behind[slot], self.fixed_scratch_to[slot])
        return needed


def _behind(operation: np.ufunc, values: NDArray[Any], stop: int) -> Floats:
    """`operation` over all slots behind each of the first `stop`; 0 behind the last."""
    result = np.empty((stop, values.shape[1]))
    behind = operation.reduce(values[stop:], axis=0, initial=0)
    for slot in reversed(range(stop)):
        result[slot] = behind
        behind = operation(behind, values[slot])
    return result


class PatchStage:
    """One split for some rows, in any grid."""

    def __init__(self, schedules: PatchSchedules, slot: int, rows: Rows) -> None:
        self.schedules, self.slot, self.rows = schedules, slot, rows
        self.height, self.width = schedules.height[slot, rows], schedules.width[slot, rows]
        self.field, self.stride = schedules.steps.field[slot, rows], schedules.steps.stride[slot, rows]

    def select(self, rows: Bools) -> "PatchStage":
        """The same for some of the rows."""
        return type(self)(self.schedules, self.slot, self.rows[rows])

    def admits(self, grid: int) -> Bools:
        """Rows in which no patch of this grid is empty, and that the generator accepts where that counts."""
        rows_fit = np.ceil(self.height / grid) * (grid - 1) < self.height
        result: Bools = rows_fit & (np.ceil(self.width / grid) * (grid - 1) < self.width)
        stages = self.schedules.accepted_stages
        if stages is not None:
            result &= stages[self.slot, self.rows] & (self.height == self.width) & (self.height % grid == 0)
        return result

    def macs(self, grid: int) -> Floats:
        """MACs `(n,)` with `grid` x `grid` patches, what runs behind the split included."""
        # summed over the grid, sides stay linear in the summed reach: all rows of patches but the last have a full
        # grain
        overlap = grid * (self.field - self.stride)
        sum_h, sum_w = overlap + self.height * self.stride, overlap + self.width * self.stride
        form, place = self.schedules.macs_to, (self.slot, self.rows)
        stage = form.square[place] * (sum_h * sum_w)
        stage += form.linear[place] * (grid * (sum_h + sum_w))
        stage += form.constant[place] * (grid * grid)
        macs: Floats = np.rint(stage) + self.schedules.macs_behind[place]
        return macs

    def macs_at_least(self, grid: int) -> Floats:
        """A bound of `macs` from below that is soon known."""
        return self.macs(grid)

    def price(self, grid: int) -> Chosen:
        """This schedule in every row, admitted or not."""
        number = self.schedules.split_number[self.slot, self.rows]
        return Chosen(self.peak(grid), self.macs(grid), np.full(len(self.rows), grid), number)

    def at_least(self, grid: int) -> Floats:
        """A bound of the peak from below: the bytes of one operator, which are soon known."""
        every, densest = self.schedules, self.schedules.densest[self.rows]
        one = Form(*(part[densest, self.rows][None] for part in every.work))
        inside = one.largest(*self._reach(grid)) * (densest <= self.slot)
        bound: Floats = inside + self._whole + every.fixed_bytes[self.rows]
        return bound

    def peak(self, grid: int) -> Floats:
        """Peak bytes `(n,)`, admitted or not."""
        every, place, reach = self.schedules, (self.slot, self.rows), self._reach(grid)
        work = every.work.take(self.slot + 1, self.rows)
        peak: Floats = np.maximum(work.largest(*reach) + self._whole, every.work_behind[place])
        peak += every.fixed_bytes[self.rows]
        if every.rule.scratch is not None:
            peak += self._scratch(*reach)
        return peak

    @property
    def _whole(self) -> Floats:
        """Bytes of the split's output, and of the image where it counts."""
        whole: Floats = self.schedules.map_bytes[self.slot, self.rows] + self.schedules.image_bytes[self.rows]
        return whole

    def _reach(self, grid: int) -> tuple[Floats, Floats]:
        """Rh * Rw and Rh + Rw of a patch."""
        high, wide = (self.field + (np.ceil(side / grid) - 1) * self.stride for side in (self.height, self.width))
        return high * wide, high + wide

    def _scratch(self, product: Floats, total: Floats) -> Floats:
        """Bytes of the operators' buffer for Rh * Rw and Rh + Rw."""
        every, place = self.schedules, (self.slot, self.rows)
        inside = int(np.searchsorted(every.depthwise_slots, self.slot, side="right"))
        sizes = every.scratch.take(inside, self.rows).largest(product, total)
        round_up(sizes, every.rule.alignment)
        for fixed in (every.fixed_scratch_to, every.scratch_behind):
            np.maximum(sizes, fixed[place], out=sizes)
        return sizes


class ClippedStage(PatchStage):
    """The same under a rule that clips patches at the border of a map."""

    def macs(self, grid: int) -> Floats:
        every = self.schedules
        positions = every.clipped.positions(self.slot, self.rows, grid)
        stage = (every.work_each[: self.slot + 1, self.rows] * positions).sum(axis=0)
        macs: Floats = np.rint(stage) + every.macs_behind[self.slot, self.rows]
        return macs

    def macs_at_least(self, grid: int) -> Floats:
        if self.schedules.narrow:
            return np.zeros(len(self.rows))
        least: Floats = self.schedules.macs_layerwise[self.rows]
        return least

    def at_least(self, grid: int) -> Floats:
        every = self.schedules
        bound: Floats = every.clipped.at_least(self.slot, self.rows, grid) + self._whole + every.fixed_bytes[self.rows]
        return bound

    def peak(self, grid: int) -> Floats:
        every = self.schedules
        inside = every.clipped.bytes_alive(self.slot, self.rows, grid)
        peak: Floats = np.maximum(inside + self._whole, every.work_behind[self.slot, self.rows])
        return peak + every.fixed_bytes[self.rows]


def admitted(schedules: PatchSchedules) -> NDArray[np.int64]:
    """How many patch schedules, splits times grids, each row admits, `(n,)`."""
    result = np.zeros(schedules.splits.shape[1], dtype=np.int64)
    for slot in schedules.split_slots():
        stage = schedules.stage(slot, np.flatnonzero(schedules.splits[slot]))
        for grid in GRIDS:
            result[stage.rows] += stage.admits(grid)
    return result


def search(schedules: PatchSchedules, best: Chosen) -> None:
    """Takes for every row the patch schedule of least peak, where it is better than `best`."""
    # late splits and large grids first: they need least, so that most others are seen to need more
    for slot in reversed(schedules.split_slots()):
        stage = schedules.stage(slot, np.flatnonzero(schedules.splits[slot]))
        stage = stage.select(schedules.at_least(slot)[stage.rows] <= best.peak_bytes[stage.rows])
        for grid in reversed(GRIDS):
            hopeful = stage.admits(grid) & (stage.at_least(grid) <= best.peak_bytes[stage.rows])
            if hopeful.any():
                some = stage.select(hopeful)
                best.take_if_better(some.rows, some.price(grid), by_macs=False)


def search_within(schedules: PatchSchedules, chosen: Chosen, peak_limit: float, macs_limit: float) -> None:
    """Takes for every row the schedule of least MACs within the limits; a row that none fits keeps `chosen`."""
    best = chosen.select(np.ones(len(chosen.macs), dtype=bool))
    best.macs[(chosen.peak_bytes > peak_limit) | (chosen.macs > macs_limit)] = np.inf
    for slot in schedules.split_slots():
        rows = np.flatnonzero(schedules.splits[slot] & (schedules.at_least(slot) <= peak_limit))
        stage = schedules.stage(slot, rows)
        for grid in GRIDS:
            # most splits cost more than the best so far, and that is known before their bytes
            hopeful = stage.macs_at_least(grid) <= np.minimum(best.macs[stage.rows], macs_limit)
            hopeful &= stage.admits(grid)
            some = stage.select(hopeful)
            some = some.select(some.at_least(grid) <= peak_limit)
            if len(some.rows):
                candidate = some.price(grid)
                fits = (candidate.peak_bytes <= peak_limit) & (candidate.macs <= macs_limit)
                best.take_if_better(some.rows[fits], candidate.select(fits), by_macs=True)
    found = np.isfinite(best.macs)
    chosen.put(np.flatnonzero(found), best.select(found))
