"""Peak SRAM and MACs of every patch schedule of a population, and which schedule to choose.

A schedule is layer by layer, or `p x p` patches up to a split: the image is cut so that each patch computes its part of
the split's output, whose whole buffer is alive from the start; behind the split the network runs layer by layer.
Rules, equal for all runtimes:

- grain: every patch computes ceil(side / p) rows and columns of the split's output, the last what remains; a grid whose
  last patch would be empty is left out;
- border patches are computed at the full, padded size, as TinyEngine's generator does (MCUNetV2's +42 % of Table 1);
- a held tensor inside a patch (residual) counts at its own patch size;
- with limits the schedule of least MACs among those that fit, else the one of least peak; ties by the other, then layer
  by layer, then the earlier split, then the smaller grid.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.counts import PRODUCTS, macs_by_slot, products_by_slot, work_by_slot
from predictors.hardware.geometry import Form, Steps, admits_split
from predictors.hardware.liveness import Bools, Floats, liveness, round_up, running
from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import Kind, LayerTable

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

    def take_if_better(self, rows: Rows, candidate: "Chosen", fits: Bools, by_macs: bool) -> None:
        """Replaces the schedule of `rows` where this one fits and is better; see the module's rule on ties."""
        first, second = ("macs", "peak_bytes") if by_macs else ("peak_bytes", "macs")
        new, now = getattr(candidate, first), getattr(self, first)[rows]
        better = (new == now) & (getattr(candidate, second) < getattr(self, second)[rows])
        better |= new < now
        better &= fits
        if better.any():
            self.put(rows[better], candidate.select(better))

    def select(self, rows: Bools) -> "Chosen":
        """The schedules of some rows."""
        return Chosen(*(getattr(self, field.name)[rows] for field in fields(self)))


class PatchSchedules:
    """Prices every patch schedule of some networks under one memory rule. Arrays are `(slots, n)`."""

    def __init__(self, table: LayerTable, rule: MemoryRule, count_input: bool, mac_convention: str = PRODUCTS) -> None:
        self.table, self.rule = table, rule
        self.height = table.out_height.T.astype(np.float64)
        self.width = table.out_width.T.astype(np.float64)
        self.steps = Steps.of(table)
        self.splits = admits_split(table)
        self.split_number = running(np.add, (table.cut & table.present).T.astype(np.int64))
        work = work_by_slot(table, products_by_slot(table), mac_convention)
        # [j]: the sum, or the largest value, behind slot j
        self.macs_behind = _behind(np.add, macs_by_slot(table, work).T.astype(np.float64))
        offset = self.steps.stride - self.steps.field
        self.macs_to = Form.of_map(work.T.astype(np.float64), self.steps.stride, offset).total()
        self._prepare_bytes(offset, count_input)

    def _prepare_bytes(self, offset: Floats, count_input: bool) -> None:
        live = liveness(self.table, self.rule, count_input)
        self.map_bytes, self.fixed_bytes = live.map_bytes, live.constant
        self.work_behind = _behind(np.maximum, live.work)
        self.image_bytes = live.image_bytes
        maps = Form.of_map(live.channels, self.steps.stride, offset)
        step = self.rule.alignment
        if step > 1:
            maps.constant[:] += (live.channels % step > 0) * (step - 1.0)
        self.work = maps.alive(self.table.last_use.T)
        for part, own in zip(self.work, maps, strict=True):
            part += own * ~live.in_place
        if self.rule.scratch is not None:
            self._prepare_scratch(live.scratch, self.rule.scratch.padded_map_bytes)

    def _prepare_scratch(self, scratch: Floats, padded_map_bytes: int) -> None:
        """The depthwise input maps of a patch stage as forms, and the running maximum of the other buffers."""
        self.scratch_behind = _behind(np.maximum, scratch)
        slots = self.depthwise_slots = self.table.slots_of(Kind.DEPTHWISE)
        fixed = scratch.copy()
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


def _behind(operation: np.ufunc, values: Floats) -> Floats:
    """`operation` over all slots behind each one; 0 behind the last."""
    result = np.zeros_like(values)
    result[:-1] = running(operation, values[1:], backwards=True)
    return result


class PatchStage:
    """One split for some rows: forms gathered once, then every grid."""

    def __init__(self, schedules: PatchSchedules, slot: int, rows: Rows) -> None:
        self.schedules, self.slot, self.rows = schedules, slot, rows
        self.height, self.width = schedules.height[slot, rows], schedules.width[slot, rows]
        self.field, self.stride = schedules.steps.field[slot, rows], schedules.steps.stride[slot, rows]
        self.number = schedules.split_number[slot, rows]

    def admits(self, grid: int) -> Bools:
        """Rows in which no patch of this grid is empty."""
        rows_fit = np.ceil(self.height / grid) * (grid - 1) < self.height
        result: Bools = rows_fit & (np.ceil(self.width / grid) * (grid - 1) < self.width)
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

    def price(self, grid: int) -> Chosen:
        """This schedule in every row, admitted or not."""
        peak = dict(self.peaks((grid,)))[grid]
        return Chosen(peak, self.macs(grid), np.full(len(peak), grid), self.number)

    def peaks(self, grids: tuple[int, ...] = GRIDS) -> Iterator[tuple[int, Floats]]:
        """(grid, peak bytes `(n,)`) of every grid, admitted or not."""
        every, place = self.schedules, (self.slot, self.rows)
        work = every.work.take(self.slot + 1, self.rows)
        whole = every.map_bytes[place] + every.image_bytes[self.rows]
        behind, fixed = every.work_behind[place], every.fixed_bytes[self.rows]
        scratch = self._scratch()
        for grid in grids:
            reach_h = self.field + (np.ceil(self.height / grid) - 1) * self.stride
            reach_w = self.field + (np.ceil(self.width / grid) - 1) * self.stride
            product, total = reach_h * reach_w, reach_h + reach_w
            peak = np.maximum(work.largest(product, total) + whole, behind)
            peak += fixed + scratch(product, total)
            yield grid, peak

    def _scratch(self) -> Callable[[Floats, Floats], Floats | float]:
        """Bytes of the operators' buffer for Rh * Rw and Rh + Rw."""
        every, place = self.schedules, (self.slot, self.rows)
        if every.rule.scratch is None:
            return lambda product, total: 0.0
        fixed = np.maximum(every.fixed_scratch_to[place], every.scratch_behind[place])
        inside = int(np.searchsorted(every.depthwise_slots, self.slot, side="right"))
        maps = every.scratch.take(inside, self.rows)

        def largest(product: Floats, total: Floats) -> Floats:
            sizes = maps.largest(product, total)
            round_up(sizes, every.rule.alignment)
            np.maximum(fixed, sizes, out=sizes)
            return sizes

        return largest


def search(schedules: PatchSchedules, best: Chosen) -> None:
    """Takes for every row the patch schedule of least peak, where it is better than `best`."""
    for slot in schedules.split_slots():
        rows = np.flatnonzero(schedules.splits[slot] & (schedules.at_least(slot) <= best.peak_bytes))
        if len(rows):
            stage = PatchStage(schedules, slot, rows)
            for grid, peak in stage.peaks():
                candidate = Chosen(peak, stage.macs(grid), np.full(len(rows), grid), stage.number)
                best.take_if_better(rows, candidate, stage.admits(grid), by_macs=False)


def search_within(schedules: PatchSchedules, chosen: Chosen, peak_limit: float, macs_limit: float) -> None:
    """Takes for every row the schedule of least MACs within the limits; a row that none fits keeps `chosen`."""
    best = chosen.select(np.ones(len(chosen.macs), dtype=bool))
    best.macs[(chosen.peak_bytes > peak_limit) | (chosen.macs > macs_limit)] = np.inf
    for slot in schedules.split_slots():
        rows = np.flatnonzero(schedules.splits[slot] & (schedules.at_least(slot) <= peak_limit))
        stage = PatchStage(schedules, slot, rows)
        macs = {grid: stage.macs(grid) for grid in GRIDS}
        # most splits cost more than the best so far, and that is known before their bytes
        hopeful = np.minimum.reduce(list(macs.values())) <= np.minimum(best.macs[rows], macs_limit)
        rows, stage = rows[hopeful], PatchStage(schedules, slot, rows[hopeful])
        for grid, peak in stage.peaks() if len(rows) else ():
            candidate = Chosen(peak, macs[grid][hopeful], np.full(len(rows), grid), stage.number)
            fits = stage.admits(grid) & (peak <= peak_limit) & (candidate.macs <= macs_limit)
            best.take_if_better(rows, candidate, fits, by_macs=True)
    found = np.isfinite(best.macs)
    chosen.put(np.flatnonzero(found), best.select(found))
