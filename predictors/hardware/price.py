"""The price of a population: every exact metric, under the best schedule of each architecture.

In two steps: all architectures layer by layer, in chunks that stay in the processor's cache; then patches for those
that they could help, gathered from all chunks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.clipped_patches import leaves_rest
from predictors.hardware.counts import CODE_BYTES, PRODUCTS, bitops, counts
from predictors.hardware.layerwise import Layerwise
from predictors.hardware.liveness import Bools, Liveness
from predictors.hardware.memory import MemoryRule, memory_rule
from predictors.hardware.patch_schedule import Chosen, PatchSchedules, admitted, search, search_within
from predictors.hardware.program_size import stage_bytes
from search_spaces.core.errors import WrongUse, shown
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population

Schedule = str | tuple[int, int]
Columns = dict[str, NDArray[Any]]
Rows = NDArray[np.intp]

_CHUNK = 2000
# just below 32 MiB, the most that glibc takes for a hint; it then keeps twice as much
_KEPT_BYTES = 31 << 20
_SCHEDULED = ("peak_sram_bytes", "macs")
_EXACT = ("macs_layerwise", "params", "weight_bytes", "flash_bytes", "bitops")


def parse_schedule(text: str) -> Schedule:
    """'auto', 'none', or 'PxN': a grid of P x P patches over the first N blocks (the first convolution is block 1)."""
    if text in ("auto", "none"):
        return text
    numbers = re.fullmatch(r"([2-9]|[1-9]\d{1,2})x([1-9]\d{0,3})", text, re.ASCII)
    if numbers is None:
        raise WrongUse(f"a schedule is auto, none or PxN such as 4x5 (4 x 4 patches over 5 blocks), got {shown(text)}")
    return int(numbers[1]), int(numbers[2])


def price_table(
    table: LayerTable,
    runtime: str,
    limits: Mapping[str, float] | None = None,
    schedule: Schedule = "auto",
    count_input: bool = False,
    mac_convention: str = PRODUCTS,
    strict: bool = False,
) -> Columns:
    """Columns `(n,)`: macs, macs_layerwise, params, weight_bytes, flash_bytes, bitops, peak_sram_bytes, patches, split,
    runs_in_tinyengine, fits.

    `limits`: upper limits by column. With them the schedule of least MACs among those that fit, and `fits` tells
    whether there is one; a row that no schedule makes fit keeps its figures layer by layer. Without limits the schedule
    of least peak. `mac_convention`: what counts as MACs, see `counts.MAC_CONVENTIONS`. `split` counts blocks (0 layer
    by layer). Limits on columns that are not priced are left to others. `strict`: only schedules that the runtime's own
    generator accepts.
    No rows give empty columns. `WrongUse`: an unknown runtime or schedule, or a schedule that a row does not admit, or
    patches where the runtime has none.
    """
    pricing = _Pricing.asked(runtime, limits, schedule, count_input, mac_convention, strict)
    return pricing.run(table.select, len(table))


def schedules_of(table: LayerTable, runtime: str, strict: bool = False) -> NDArray[np.int64]:
    """How many patch schedules `(n,)` a network admits; `strict`: those that the runtime's own generator accepts."""
    rule = memory_rule(runtime)
    if rule.planned is not None:
        return np.zeros(len(table), dtype=np.int64)
    return admitted(PatchSchedules(Layerwise.of(table, rule, count_input=False), strict))


def bound_table(table: LayerTable, runtime: str, *rules: Any) -> Columns:
    """The same as `price_table` for the least that networks can have: no network with these operators, or more and
    larger ones, has a lower peak, or less flash.
    """
    columns, rule = price_table(table, runtime, None, *rules), memory_rule(runtime)
    if rule.planned is not None:
        columns["peak_sram_bytes"] = rule.planned.at_least(table)
    if rule.code is not None:
        plain = price_table(table, runtime, None, "none")["flash_bytes"]
        columns["flash_bytes"] = plain - rule.code.bytes_of(table) + rule.code.at_least(table)
    return columns


def price_population(
    population: Population,
    runtime: str,
    limits: Mapping[str, float] | None = None,
    schedule: Schedule = "auto",
    count_input: bool = False,
    mac_convention: str = PRODUCTS,
    strict: bool = False,
) -> Columns:
    """The same for a population of any size, decoded piece by piece."""
    pricing = _Pricing.asked(runtime, limits, schedule, count_input, mac_convention, strict)
    return pricing.run(lambda rows: population.space.decode(population[rows]), len(population))


@dataclass(frozen=True)
class _Pricing:
    """What is asked of each architecture."""

    rule: MemoryRule
    limits: Mapping[str, float] | None
    schedule: Schedule
    count_input: bool
    mac_convention: str
    strict: bool

    @classmethod
    def asked(
        cls,
        runtime: str,
        limits: Mapping[str, float] | None,
        schedule: Schedule,
        count_input: bool,
        mac_convention: str,
        strict: bool,
    ) -> "_Pricing":
        """Names become rules; no limits and an empty set of them are the same."""
        schedule = parse_schedule(schedule) if isinstance(schedule, str) else schedule
        rule = memory_rule(runtime)
        if rule.planned is not None:
            if isinstance(schedule, tuple):
                raise WrongUse(
                    f"the runtime {runtime} executes no patches, got the schedule {schedule[0]}x{schedule[1]}; give "
                    "--schedule none, or --runtime c"
                )
            schedule = "none"
        return cls(rule, limits or None, schedule, count_input, mac_convention, strict)

    def run(self, decode: Callable[[Any], LayerTable], n: int) -> Columns:
        """`decode` gives the table of a slice or index array of the `n` rows."""
        _keep_freed_memory()
        starts = range(0, n, _CHUNK)
        parts = [self._chunk(decode(slice(start, min(start + _CHUNK, n)))) for start in starts]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _no_rows()
        rows = np.flatnonzero(columns.pop("open"))
        for start in range(0, len(rows), _CHUNK):
            piece = rows[start : start + _CHUNK]
            self._patch_by_patch(self._layerwise(decode(piece)), columns, piece)
        columns["fits"] = self._within(columns, (*_EXACT, *_SCHEDULED))
        return columns

    def _chunk(self, table: LayerTable) -> Columns:
        """Layer by layer; where patches are to be looked at for every row, that is done while the table is at hand."""
        layerwise = self._layerwise(table)
        columns = self._layer_by_layer(layerwise)
        if self.schedule == "auto" and columns["open"].all():
            self._patch_by_patch(layerwise, columns, np.arange(len(table)))
            columns["open"][:] = False
        return columns

    def _layerwise(self, table: LayerTable) -> Layerwise:
        return Layerwise.of(table, self.rule, self.count_input, self.mac_convention)

    def _layer_by_layer(self, layerwise: Layerwise) -> Columns:
        """All columns but `fits` without patches, and `open`: rows for which patches are to be looked at."""
        table, live = layerwise.table, layerwise.live
        macs = layerwise.macs.sum(axis=1)
        rule = layerwise.rule
        code = CODE_BYTES if rule.code is None else rule.code.bytes_of(table)
        sizes = counts(table, layerwise.products, rule.channel_bytes, code)
        columns: Columns = {"macs_layerwise": macs, **sizes, "macs": macs.copy()}
        columns["bitops"] = bitops(table, layerwise.product_macs)
        planned = rule.planned
        columns["peak_sram_bytes"] = live.peak_bytes().astype(np.int64) if planned is None else planned.bytes_of(table)
        columns["patches"], columns["split"] = np.ones_like(macs), np.zeros_like(macs)
        columns["runs_in_tinyengine"] = np.ones(len(table), dtype=bool)
        can_be_split = isinstance(self.schedule, tuple) or (self.schedule == "auto" and bool(table.cut.any()))
        columns["open"] = np.full(len(table), can_be_split)
        if can_be_split and self.schedule == "auto" and self.limits is not None:
            columns["open"] = self._open(table, live, columns)
        return columns

    def _open(self, table: LayerTable, live: Liveness, columns: Columns) -> Bools:
        """With limits, patches are for rows that are too large without them, and for those that pay no MACs for them.

        Patches recompute: they never need fewer MACs, unless a kernel is smaller than its stride, or clipped patches
        leave away what nobody reads.
        """
        narrow = (table.kernel < table.stride).any(axis=1)
        if self.rule.clips:
            narrow |= leaves_rest(table)
        too_large = ~self._within(columns, ("peak_sram_bytes",))
        wanted = narrow | (self._within(columns, ("macs",)) & (too_large | _may_gain_for_free(table, live)))
        result: Bools = wanted & self._within(columns, _EXACT)
        return result

    def _within(self, columns: Columns, names: tuple[str, ...]) -> Bools:
        fits = np.ones(len(columns["macs"]), dtype=bool)
        for name in names:
            if name in (self.limits or {}):
                fits &= columns[name] <= (self.limits or {})[name]
        return fits

    def _patch_by_patch(self, layerwise: Layerwise, columns: Columns, rows: Rows) -> None:
        """Replaces what a schedule decides in `rows` of `columns`, whose operators `layerwise` holds."""
        schedules = PatchSchedules(layerwise, self.strict)
        peak, macs = (columns[name][rows].astype(np.float64) for name in _SCHEDULED)
        chosen = Chosen.layer_by_layer(peak, macs)
        if isinstance(self.schedule, tuple):
            _force(schedules, chosen, self.schedule, rows)
        elif self.limits is None:
            search(schedules, chosen)
        else:
            peak_limit, macs_limit = (self.limits.get(name, np.inf) for name in _SCHEDULED)
            search_within(schedules, chosen, peak_limit, macs_limit)
        columns["peak_sram_bytes"][rows], columns["macs"][rows] = chosen.peak_bytes, chosen.macs
        columns["patches"][rows], columns["split"][rows] = chosen.patches, chosen.split
        if self.rule.code is not None and chosen.split.any():
            operators = np.cumsum(schedules.table.present, axis=1, dtype=np.int64)
            staged = operators[np.arange(len(rows)), _last_of_stage(schedules, chosen)]
            columns["flash_bytes"][rows] += stage_bytes(staged, chosen.patches)
        columns["runs_in_tinyengine"][rows] = _runs_in_tinyengine(schedules, chosen)


@cache
def _keep_freed_memory() -> None:
    """Lets the allocator keep what a chunk frees for the next one, up to 62 MiB.

    glibc hands free memory back to the system beyond twice the largest block that was ever freed, and a chunk frees
    many columns of a few MiB: each chunk asked for all its pages anew, which took half the time of large networks. The
    block is never touched, so it costs nothing; other allocators are not affected.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


def _no_rows() -> Columns:
    columns: Columns = {name: np.zeros(0, dtype=np.int64) for name in (*_EXACT, *_SCHEDULED, "patches", "split")}
    return columns | {name: np.zeros(0, dtype=bool) for name in ("runs_in_tinyengine", "open")}


def _may_gain_for_free(table: LayerTable, live: Liveness) -> Bools:
    """Rows whose peak may lie so early that patches over it recompute nothing: no kernel before it sees a neighbour."""
    wide, stop = table.kernel > table.stride, 1
    still = np.ones(len(table), dtype=bool)
    while stop < table.slots and (still := still & ~wide[:, stop]).any():
        stop += 1
    early = (
        part[:stop].max(axis=0, initial=0.0) >= part.max(axis=0, initial=0.0) for part in (live.work, live.scratch)
    )
    result: Bools = np.logical_or(*early)
    return result


def _force(schedules: PatchSchedules, chosen: Chosen, schedule: tuple[int, int], rows: Rows) -> None:
    """The given schedule in every row; `WrongUse` where a row does not admit it."""
    grid, number = schedule
    done = np.zeros(len(rows), dtype=bool)
    for slot in schedules.split_slots():
        here = np.flatnonzero(schedules.splits[slot] & (schedules.split_number[slot] == number))
        if len(here):
            stage = schedules.stage(slot, here)
            done[here] = stage.admits(grid)
            chosen.put(here, stage.price(grid))
    if not done.all():
        known = sorted(set(schedules.split_number[schedules.splits].tolist()))
        if schedules.generator is not None:
            raise WrongUse(
                f"schedule {grid}x{number}: the generator of {schedules.rule.runtime} does not accept it for network "
                f"{rows[np.argmin(done)]}, {schedules.generator}; leave --strict-runtime away, or give --runtime c"
            )
        raise WrongUse(
            f"schedule {grid}x{number}: network {rows[np.argmin(done)]} cannot be split after block {number} into "
            f"{grid} x {grid} patches; blocks that can end a patch stage: {', '.join(map(str, known)) or 'none'}"
        )


def _last_of_stage(schedules: PatchSchedules, chosen: Chosen) -> Rows:
    """The slots `(n,)` with which chosen patch stages end; any where there is no stage."""
    inside = schedules.table.present.T.copy()
    inside[1:] &= schedules.split_number[:-1] < chosen.split
    result: Rows = np.max(inside * np.arange(schedules.table.slots)[:, None], axis=0)
    return result


def _runs_in_tinyengine(schedules: PatchSchedules, chosen: Chosen) -> Bools:
    """Whether TinyEngine's generator accepts the schedule; layer by layer it accepts all."""
    layerwise: Bools = chosen.patches == 1
    limits = memory_rule("tinyengine").generator
    if layerwise.all() or limits is None:
        return layerwise
    table, last = schedules.table, _last_of_stage(schedules, chosen)
    rows = np.arange(len(table))
    height, width = schedules.height[last, rows], schedules.width[last, rows]
    accepted = limits.stages(table)[last, rows] & (height == width) & (height % chosen.patches == 0)
    result: Bools = accepted | layerwise
    return result
