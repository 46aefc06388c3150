"""The price of a population: every exact metric, under the best schedule of each architecture."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.counts import counts, weights_by_slot
from predictors.hardware.memory import memory_rule
from predictors.hardware.patch_schedule import GRIDS, Chosen, Schedules
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import Kind, LayerTable

Schedule = str | tuple[int, int]
Columns = dict[str, NDArray[Any]]

_SCHEDULED = ("peak_sram_bytes", "macs")


def parse_schedule(text: str) -> Schedule:
    """'auto', 'none', or 'PxN': a grid of P x P patches over the first N blocks (the first convolution is block 1)."""
    if text in ("auto", "none"):
        return text
    patches, _, split = text.partition("x")
    if not (patches.isdigit() and split.isdigit() and int(patches) >= 2 and int(split) >= 1):
        raise WrongUse(f"a schedule is auto, none or PxN such as 4x5 (4 x 4 patches over 5 blocks), got '{text}'")
    return int(patches), int(split)


def price_table(
    table: LayerTable,
    runtime: str,
    limits: Mapping[str, float] | None = None,
    schedule: Schedule = "auto",
    count_input: bool = False,
) -> Columns:
    """Columns `(n,)`: macs, macs_layerwise, params, weight_bytes, flash_bytes, peak_sram_bytes, patches, split,
    runs_in_tinyengine, fits.

    `limits`: upper limits by column. With them the schedule of least MACs among those that fit, and `fits` tells whether
    there is one; a row that no schedule makes fit keeps its figures layer by layer. Without limits the schedule of least
    peak. `split` counts blocks (0 layer by layer). Lower limits do not concern costs and are ignored here.
    """
    weights = weights_by_slot(table)
    schedules = Schedules(table, memory_rule(runtime), weights, count_input)
    chosen = schedules.layer_by_layer()
    columns: Columns = {"macs_layerwise": chosen.macs.astype(np.int64), **counts(table, weights)}
    known = {key: value for key, value in (limits or {}).items() if key in columns or key in _SCHEDULED}
    open_rows = _within(columns, {k: v for k, v in known.items() if k not in _SCHEDULED})
    if isinstance(schedule, tuple):
        chosen = _forced(schedules, schedule)
    elif schedule == "auto":
        _search(schedules, chosen, known if limits else None, open_rows)
    columns |= {
        "macs": chosen.macs.astype(np.int64),
        "peak_sram_bytes": np.ceil(chosen.peak_bytes).astype(np.int64),
        "patches": chosen.patches,
        "split": chosen.split,
    }
    columns["runs_in_tinyengine"] = _runs_in_tinyengine(table, chosen)
    columns["fits"] = _within(columns, known)
    return columns


def _within(columns: Mapping[str, NDArray[Any]], limits: Mapping[str, float]) -> NDArray[np.bool_]:
    fits = np.ones(len(columns["macs_layerwise"]), dtype=bool)
    for column, limit in limits.items():
        fits &= columns[column] <= limit
    return fits


def _search(schedules: Schedules, chosen: Chosen, limits: Mapping[str, float] | None, open_rows: NDArray[np.bool_]) -> None:
    """Improves `chosen` over all patch schedules; with limits only rows that nothing but patches can save."""
    if limits is None:
        _improve(schedules, chosen, np.inf, np.inf, by_macs=False)
        return
    peak_limit, macs_limit = limits.get("peak_sram_bytes", np.inf), limits.get("macs", np.inf)
    # least MACs is layer by layer: patches only recompute, so a row that fits is settled
    open_rows = open_rows & (chosen.peak_bytes > peak_limit) & (chosen.macs <= macs_limit)
    rows = np.flatnonzero(open_rows & schedules.rows_within_reach(peak_limit)) if open_rows.any() else []
    if not len(rows):
        return
    few = schedules.select(rows)
    best = few.layer_by_layer()
    best.macs[:] = np.inf
    _improve(few, best, peak_limit, macs_limit, by_macs=True)
    found = np.isfinite(best.macs)
    for name in ("peak_bytes", "macs", "patches", "split"):
        getattr(chosen, name)[rows[found]] = getattr(best, name)[found]


def _improve(schedules: Schedules, best: Chosen, peak_limit: float, macs_limit: float, by_macs: bool) -> None:
    """Takes for every row the best of all patch schedules within the limits, where it is better than `best`."""
    schedules.prepare_patches()
    for slot in schedules.split_slots():
        ceiling = peak_limit if by_macs else best.peak_bytes
        rows = np.flatnonzero(schedules.splits[slot] & (schedules.at_least(slot) <= ceiling))
        if not len(rows):
            continue
        stage, number = schedules.patched(slot, rows), schedules.split_number[slot, rows]
        for grid in GRIDS:
            peak, macs = stage.price(grid)
            fits = stage.admits(grid) & (peak <= peak_limit) & (macs <= macs_limit)
            best.take_if_better(rows, peak, macs, fits, grid, number, by_macs)


def _forced(schedules: Schedules, schedule: tuple[int, int]) -> Chosen:
    """The given schedule in every row; `WrongUse` where a row does not admit it."""
    grid, number = schedule
    schedules.prepare_patches()
    chosen = schedules.layer_by_layer()
    done = np.zeros(len(chosen.macs), dtype=bool)
    for slot in schedules.split_slots():
        rows = np.flatnonzero(schedules.splits[slot] & (schedules.split_number[slot] == number))
        if len(rows):
            stage = schedules.patched(slot, rows)
            rows_done = stage.admits(grid)
            peak, macs = stage.price(grid)
            chosen.peak_bytes[rows], chosen.macs[rows] = peak, macs
            chosen.patches[rows], chosen.split[rows] = grid, number
            done[rows] = rows_done
    if not done.all():
        admitted = sorted(set(schedules.split_number[schedules.splits].tolist()))
        raise WrongUse(
            f"schedule {grid}x{number}: network {int(np.flatnonzero(~done)[0])} cannot be split after block {number} into "
            f"{grid} x {grid} patches; blocks that can end a patch stage: {', '.join(map(str, admitted)) or 'none'}"
        )
    return chosen


def _runs_in_tinyengine(table: LayerTable, chosen: Chosen) -> NDArray[np.bool_]:
    """Whether TinyEngine's generator accepts the schedule.

    Layer by layer: yes. Patches: a square map that the grid divides without rest, a first convolution 3x3 of stride 2
    on 3 channels, and only 3x3 depthwise convolutions inside the stage.
    """
    number = np.cumsum(table.cut & table.present, axis=1)
    before = np.concatenate([np.zeros((len(table), 1), dtype=number.dtype), number[:, :-1]], axis=1)
    inside = table.present & (before < chosen.split[:, None])
    wide = (inside & table.of_kind(Kind.DEPTHWISE) & (table.kernel != 3)).any(axis=1)
    last = np.maximum(inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1), 0)
    rows = np.arange(len(table))
    height, width = table.out_height[rows, last], table.out_width[rows, last]
    first = (table.kernel[:, 0] == 3) & (table.stride[:, 0] == 2) & (table.in_channels[:, 0] == 3)
    accepted: NDArray[np.bool_] = first & ~wide & (height == width) & (height % chosen.patches == 0)
    return accepted | (chosen.patches == 1)
