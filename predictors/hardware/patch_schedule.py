"""Peak SRAM and MACs of every schedule of a population, and which schedule to choose.

A schedule is layer by layer, or `p x p` patches up to a split: the image is cut so that each patch computes its part of
the split's output, whose whole buffer is alive from the start; behind the split the network runs layer by layer.
Rules, equal for all runtimes:

- grain: every patch computes ceil(side / p) rows and columns of the split's output, the last what remains; a grid whose
  last patch would be empty is left out;
- border patches are computed at the full, padded size, as TinyEngine's generator does (MCUNetV2's +42 % of Table 1);
- a held tensor inside a patch (residual) counts at its own patch size;
- with a limit on SRAM the schedule of least MACs among those that fit, else the one of least peak; ties by the other,
  then layer by layer, then the earlier split, then the smaller grid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.counts import macs_by_slot
from predictors.hardware.geometry import Floats, Form, admits_split, alive, output_weight, steps
from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import NETWORK_INPUT, Kind, LayerTable

GRIDS = (2, 3, 4)

Rows = NDArray[np.intp]


@dataclass
class Chosen:
    """The schedule of each row so far; `split` counts block ends (1: after the first convolution), 0 layer by layer."""

    peak_bytes: Floats
    macs: Floats
    patches: NDArray[np.int64]
    split: NDArray[np.int64]

    def take_if_better(self, rows: Rows, peak: Floats, macs: Floats, fits: NDArray[np.bool_], patches: int, split: Rows, by_macs: bool) -> None:
        """Replaces the schedule of `rows` where this one fits and is better; see the module's rule on ties."""
        first, second = (macs, peak) if by_macs else (peak, macs)
        now_first, now_second = (self.macs, self.peak_bytes) if by_macs else (self.peak_bytes, self.macs)
        better = fits & ((first < now_first[rows]) | ((first == now_first[rows]) & (second < now_second[rows])))
        chosen = rows[better]
        self.peak_bytes[chosen], self.macs[chosen] = peak[better], macs[better]
        self.patches[chosen], self.split[chosen] = patches, split[better]


class Schedules:
    """Prices schedules of one chunk of a population under one memory rule. Arrays are `(slots, n)`."""

    def __init__(self, table: LayerTable, rule: MemoryRule, weights: NDArray[np.int64], count_input: bool) -> None:
        self.table, self.rule, self.weights, self.count_input = table, rule, weights.T, count_input
        self.kept, self.made = output_weight(table, rule)
        positions = (table.out_height * table.out_width).T.astype(np.float64)
        self.map_bytes = self._rounded(self.kept * positions)
        made_bytes = self._rounded(self.made * positions)
        first = self._rounded((table.in_channels[:, 0] * table.in_height[:, 0] * table.in_width[:, 0]).astype(np.float64))
        self.image_bytes = first if count_input else np.zeros(len(table))
        work = alive(self.map_bytes, table.last_use.T) + made_bytes
        work += np.where(self._while_image_is_read(), self.image_bytes, 0.0)
        self.scratch, self.constant = self._scratch()
        self.layer_macs = macs_by_slot(table, weights).T.astype(np.float64)
        # [j]: the largest value at slot j or behind it
        self.work_from = np.maximum.accumulate(work[::-1], axis=0)[::-1]
        self.scratch_from = np.maximum.accumulate(self.scratch[::-1], axis=0)[::-1]
        self.macs_from = np.cumsum(self.layer_macs[::-1], axis=0)[::-1]

    def layer_by_layer(self) -> Chosen:
        """Peak and MACs without patches."""
        n = len(self.table)
        peak = self.work_from[0] + self.scratch_from[0] + self.constant
        return Chosen(peak, self.macs_from[0].copy(), np.ones(n, dtype=np.int64), np.zeros(n, dtype=np.int64))

    def _rounded(self, sizes: Floats) -> Floats:
        step = self.rule.alignment
        return sizes if step == 1 else np.ceil(sizes / step) * step

    def _while_image_is_read(self) -> NDArray[np.bool_]:
        reads = self.table.present & ((self.table.input_a == NETWORK_INPUT) | (self.table.input_b == NETWORK_INPUT))
        return np.logical_or.accumulate(reads.T[::-1], axis=0)[::-1]

    def _scratch(self) -> tuple[Floats, Floats]:
        """Buffers by slot, run layer by layer, and those of every schedule."""
        shape = self.table.present.T.shape
        if self.rule.scratch is None:
            return np.zeros(shape), np.zeros(shape[1])
        table, scratch = self.table, self.rule.scratch
        padded = 2 * (table.kernel // 2)
        maps = (table.in_height + padded) * (table.in_width + padded) * scratch.padded_map_bytes
        depthwise = table.of_kind(Kind.DEPTHWISE)
        by_slot = np.where(depthwise, maps, scratch.by_slot(table))
        return by_slot.T.astype(np.float64), scratch.constant(table).astype(np.float64)

    # patches

    def prepare_patches(self) -> None:
        """Computes the forms that all splits and grids share."""
        table = self.table
        self.stride, self.field = steps(table)
        offset = self.stride - self.field
        kept = Form.of_map(self.kept, self.stride, offset)
        made = Form.of_map(self.made, self.stride, offset)
        # rounding up a patch's tensor costs at most alignment - 1 bytes
        slack = np.where(self.kept % self.rule.alignment != 0, self.rule.alignment - 1.0, 0.0)
        last_use = table.last_use.T
        parts = [alive(part, last_use) for part in (kept.square, kept.linear, kept.constant + slack)]
        self.work_form = Form(parts[0] + made.square, parts[1] + made.linear, parts[2] + made.constant + slack * (self.made > 0))
        per_position = Form.of_map(self.weights.astype(np.float64), self.stride, offset)
        self.macs_form = Form(*(np.cumsum(part, axis=0) for part in (per_position.square, per_position.linear, per_position.constant)))
        self.splits = admits_split(table)
        self.splits[-1] = False  # nothing would be left to run behind it
        self.split_number = np.cumsum((table.cut & table.present).T, axis=0)
        self._prepare_scratch()

    def _prepare_scratch(self) -> None:
        """The depthwise input maps of a patch stage as forms, and the running maximum of the other buffers."""
        table = self.table
        depthwise = table.of_kind(Kind.DEPTHWISE).T
        self.depthwise_slots = np.flatnonzero(depthwise.any(axis=1))
        if self.rule.scratch is None:
            return
        slots = self.depthwise_slots
        before = np.maximum(slots - 1, 0)
        stride, field = self.stride[before], self.field[before]
        present = depthwise[slots]
        padded = 2 * (table.kernel.T[slots] // 2)
        bytes_each = np.where(present, float(self.rule.scratch.padded_map_bytes), 0.0)
        self.scratch_form = Form.of_map(bytes_each, stride, stride * (1 + padded) - field)
        fixed = self.scratch.copy()
        fixed[slots] = np.where(present, 0.0, fixed[slots])
        self.fixed_scratch_to = np.maximum.accumulate(fixed, axis=0)

    def split_slots(self) -> NDArray[np.intp]:
        """Slots that end the patch stage of some row."""
        return np.flatnonzero(self.splits.any(axis=1))

    def at_least(self, slot: int) -> Floats:
        """Bytes that a split at `slot` needs whatever the grid: its output, and all that runs behind it."""
        tail = self.work_from[slot + 1] + self.scratch_from[slot + 1]
        needed: Floats = np.maximum(tail, self.map_bytes[slot]) + self.constant
        return needed

    def rows_within_reach(self, peak_limit: float) -> NDArray[np.bool_]:
        """Rows in which some split could need at most `peak_limit`."""
        tail = self.work_from[1:] + self.scratch_from[1:]
        possible = admits_split(self.table)[:-1] & (np.maximum(tail, self.map_bytes[:-1]) + self.constant <= peak_limit)
        reachable: NDArray[np.bool_] = possible.any(axis=0)
        return reachable

    def select(self, rows: Rows) -> "Schedules":
        """The same for some rows."""
        return Schedules(self.table.select(rows), self.rule, self.weights.T[rows], self.count_input)

    def patched(self, slot: int, rows: Rows) -> "PatchStage":
        """The patch stage up to `slot` for some rows."""
        return PatchStage(self, slot, rows)


class PatchStage:
    """One split for some rows: forms gathered once, then every grid."""

    def __init__(self, schedules: Schedules, slot: int, rows: Rows) -> None:
        self.schedules, self.slot, self.rows = schedules, slot, rows
        table = schedules.table
        self.height = table.out_height[rows, slot].astype(np.float64)
        self.width = table.out_width[rows, slot].astype(np.float64)
        self.field, self.stride = schedules.field[slot, rows], schedules.stride[slot, rows]
        self.work = schedules.work_form.take(slice(0, slot + 1), rows)
        if schedules.rule.scratch is not None:
            inside = int(np.searchsorted(schedules.depthwise_slots, slot, side="right"))
            self.scratch = schedules.scratch_form.take(slice(0, inside), rows)

    def admits(self, grid: int) -> NDArray[np.bool_]:
        """Rows in which no patch of this grid is empty."""
        fits: NDArray[np.bool_] = (self._grain(self.height, grid) * (grid - 1) < self.height) & (
            self._grain(self.width, grid) * (grid - 1) < self.width
        )
        return fits

    @staticmethod
    def _grain(side: Floats, grid: int) -> Floats:
        grain: Floats = np.ceil(side / grid)
        return grain

    def price(self, grid: int) -> tuple[Floats, Floats]:
        """(peak bytes, MACs) of each row with `grid` x `grid` patches."""
        s, slot, rows = self.schedules, self.slot, self.rows
        reach_h = self.field + (self._grain(self.height, grid) - 1) * self.stride
        reach_w = self.field + (self._grain(self.width, grid) - 1) * self.stride
        product, total = reach_h * reach_w, reach_h + reach_w
        inside = self.work.at(product, total).max(axis=0) + s.map_bytes[slot, rows] + s.image_bytes[rows]
        peak = np.maximum(inside, s.work_from[slot + 1, rows]) + s.constant[rows]
        if s.rule.scratch is not None:
            fixed = np.maximum(s.fixed_scratch_to[slot, rows], s.scratch_from[slot + 1, rows])
            maps = self.scratch.at(product, total)
            peak += np.maximum(fixed, maps.max(axis=0)) if len(maps.T) and len(maps) else fixed
        return peak, self._macs(grid)

    def _macs(self, grid: int) -> Floats:
        s, slot, rows = self.schedules, self.slot, self.rows
        # summed over the grid, sides stay linear in the summed reach: all rows of patches but the last have a full grain
        sum_h = grid * (self.field - self.stride) + self.height * self.stride
        sum_w = grid * (self.field - self.stride) + self.width * self.stride
        form = s.macs_form
        stage = (
            form.square[slot, rows] * sum_h * sum_w
            + grid * form.linear[slot, rows] * (sum_h + sum_w)
            + grid * grid * form.constant[slot, rows]
        )
        macs: Floats = np.rint(stage) + s.macs_from[slot + 1, rows]
        return macs
