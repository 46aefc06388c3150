"""A network whose patch stage is rounded patch by patch, each with bits of its own, and what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.core.per_patch import MOST_BITS, POSITION, PerPatch
from nas.quantization.capture import Captured
from nas.quantization.patches import Branch, FeatureMap, PatchStage, behind
from nas.quantization.quantized import Quantized, quantize_captured
from nas.quantization.value_driven import WEIGHT_BITS, Bits, BranchSearch, Kept, Outliers, SearchedBranch, branch_bitops
from predictors.hardware.lifetimes import lifetimes
from predictors.hardware.memory import memory_rule
from predictors.hardware.memory_plan import liveness_bound
from search_spaces.core.errors import Infeasible
from search_spaces.core.layer_table import LayerTable, Widths
from search_spaces.core.policy import QuantizationPolicy

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """How a network runs: `grid` x `grid` patches over `split` blocks, under a runtime's memory rule."""

    grid: int
    split: int
    runtime: str
    count_input: bool = False


@dataclass(frozen=True)
class BranchMemory:
    """Peak SRAM where every patch keeps its maps in given bits, and all else is kept in 8."""

    stage: PatchStage
    table: LayerTable
    schedule: Schedule
    _known: dict[tuple[int, ...], int] = field(default_factory=dict)  # branches are alike: the largest patch counts

    def peak_bytes(self, bits: Bits) -> int:
        """Of the whole network; a map that is not named has 8 bits."""
        key = tuple(bits.get(each.node, MOST_BITS) for each in self.stage.maps[1:-1])
        if key not in self._known:
            self._known[key] = self._peak(key)
        return self._known[key]

    @cached_property
    def _int8(self) -> tuple[LayerTable, Widths]:
        table = QuantizationPolicy.uniform(self.table).of(self.table)
        assert table.widths is not None
        return table, table.widths

    def _peak(self, bits: Sequence[int]) -> int:
        table, widths = self._int8
        kept, slots = widths.kept_bits.copy(), np.flatnonzero(table.present[0])
        kept[0, [slots[each.layer] for each in self.stage.maps[1:-1]]] = bits
        narrow, how = replace(table, widths=replace(widths, kept_bits=kept)), self.schedule
        tensors = lifetimes(narrow, 0, how.runtime, how.grid, how.split, how.count_input)
        return liveness_bound(tensors, memory_rule(how.runtime).alignment)


@dataclass(frozen=True)
class PatchQuantized:
    """A network in 8 bits whose patches have their own.

    `searched`: by branch what its maps are kept in where a picture has no outlier there; None: always in 8 bits.
    """

    stage: PatchStage
    memory: BranchMemory
    settings: PerPatch
    eight: Quantized
    outliers: Outliers
    searched: tuple[SearchedBranch | None, ...]

    @torch.no_grad()
    def run(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) of pictures (n, C, H, W), and bool (n, branches): which patches were kept in 8 bits."""
        pairs = zip(self.stage.branches, self.searched, strict=True)
        done = [self._patch(pictures, branch, searched) for branch, searched in pairs]
        logits: Tensor = self._rest(self.stage.joined([tile for tile, _ in done]))
        return logits, torch.stack([in_eight for _, in_eight in done], dim=1)

    def _patch(self, pictures: Tensor, branch: Branch, searched: SearchedBranch | None) -> tuple[Tensor, Tensor]:
        tile = self.stage.tile(pictures, branch)
        in_eight = torch.ones(len(tile), dtype=torch.bool)
        if searched is not None:
            by_position = self.settings.by == POSITION
            in_eight = torch.zeros_like(in_eight) if by_position else self.outliers.found(tile)
        parts: list[tuple[Tensor, Mapping[str, Kept]]] = [(in_eight, self.eight.kept)]
        if searched is not None:
            parts.append((~in_eight, {**self.eight.kept, **searched.how}))
        own = branch.regions[self.stage.output.node]
        channels = self.stage.layers[self.stage.output.layer].out_channels
        made = torch.empty(len(tile), channels, own.rows[1] - own.rows[0], own.columns[1] - own.columns[0])
        for mask, how in parts:
            if mask.any():
                made[mask] = self.stage.compute(tile[mask], branch, _Rounded(how), self._weights)
        return made, in_eight

    @cached_property
    def _weights(self) -> dict[str, Tensor]:
        return real_weights(self.eight)

    @cached_property
    def _rest(self) -> Any:
        graph = self.eight.simulated()
        return behind(graph, _rounded_name(graph, self.stage.output))

    # what it costs

    def bitops(self, in_eight: Shares | None = None) -> float:
        """Bit operations of a picture: of the patches, halos included, and of what runs behind them.

        `in_eight` (branches,): the share of pictures for which a patch is kept in 8 bits; None: of those that always
        are alone.
        """
        return self.stage_bitops(in_eight) + self.stage.macs_behind * WEIGHT_BITS * MOST_BITS

    def stage_bitops(self, in_eight: Shares | None = None) -> float:
        """Those of the patches."""
        shares = np.zeros(len(self.searched)) if in_eight is None else in_eight
        total = 0.0
        for branch, searched, share in zip(self.stage.branches, self.searched, shares, strict=True):
            always = branch_bitops(self.stage, branch, {})
            few = always if searched is None else branch_bitops(self.stage, branch, searched.bits)
            total += share * always + (1 - share) * few
        return float(total)

    def int8_stage_bitops(self) -> int:
        """Those of the patches in 8 bits."""
        return sum(branch_bitops(self.stage, branch, {}) for branch in self.stage.branches)

    def int8_bitops(self) -> int:
        """Those of a picture in 8 bits, patch by patch."""
        return self.int8_stage_bitops() + self.stage.macs_behind * WEIGHT_BITS * MOST_BITS

    def peak_sram_bytes(self) -> int:
        """The neediest branch, or what runs behind; where pictures decide, any branch may be in 8 bits."""
        if self.settings.by != POSITION and np.isfinite(self.settings.outliers):
            return self.memory.peak_bytes({})
        every: list[Bits] = [{} if searched is None else searched.bits for searched in self.searched]
        return max(self.memory.peak_bytes(bits) for bits in every)

    def to_document(self) -> dict[str, Any]:
        """The policy as plain JSON values: bits by branch and operator of the table, `image` for the picture."""
        names = {each.node: "image" if each.layer < 0 else self.stage.layers[each.layer].name
                 for each in self.stage.maps}  # fmt: skip
        branches = [
            {
                "place": list(branch.place),
                "bits": None if one is None else {names[node]: bits for node, bits in one.bits.items()},
            }
            for branch, one in zip(self.stage.branches, self.searched, strict=True)
        ]
        schedule = {"patches": self.stage.grid, "split": self.memory.schedule.split}
        return {"policy": "per-patch", **schedule, "settings": self.settings.to_document(), "branches": branches}


def quantize_per_patch(
    captured: Captured,
    table: LayerTable,
    schedule: Schedule,
    batches: Sequence[Tensor],
    settings: PerPatch | None = None,
    limit_bytes: float | None = None,
) -> PatchQuantized:
    """QuantMCU on a captured network whose operator table has height one; nothing is trained.

    `batches`: calibration pictures (n, C, H, W), normalised as for training. `limit_bytes` of SRAM: bits are found
    under which the network fits. A patch that has outliers in all calibration pictures (or, by position, in most) keeps
    8 bits. `Infeasible` where a patch that has to keep 8 bits, or any with the fewest, is beyond the limit; `WrongUse`
    where the network does not admit the schedule, `FitnasError` where the pictures teach nothing or the stage cannot be
    computed patch by patch.
    """
    settings = settings or PerPatch()
    stage = PatchStage.of(captured, table, schedule.grid, schedule.split)
    eight = quantize_captured(captured, QuantizationPolicy.uniform(table), batches)
    outliers = Outliers.of(batches, settings.outliers)
    memory = BranchMemory(stage, table, schedule)
    whole, limit = memory.peak_bytes({}), np.inf if limit_bytes is None else limit_bytes
    fits = None if whole <= limit else lambda bits: memory.peak_bytes(bits) <= limit
    search = BranchSearch(stage, settings, eight.kept, real_weights(eight), fits)
    pictures = torch.cat(list(batches))
    searched = tuple(_branch(search, outliers, pictures, branch) for branch in stage.branches)
    result = PatchQuantized(stage, memory, settings, eight, outliers, searched)
    if result.peak_sram_bytes() > limit:
        raise Infeasible(
            f"patches with outliers keep 8 bits, which takes {whole} bytes of SRAM, beyond {limit:.0f}; raise "
            "the limit, or give every patch few bits: --per-patch outliers=none"
        )
    return result


def _branch(search: BranchSearch, outliers: Outliers, pictures: Tensor, branch: Branch) -> SearchedBranch | None:
    tiles = search.stage.tile(pictures, branch)
    found = outliers.found(tiles)
    if search.settings.by == POSITION:
        return None if float(found.float().mean()) > 0.5 else search.run(tiles, branch)
    return None if bool(found.all()) else search.run(tiles[~found], branch)


def real_weights(quantized: Quantized) -> dict[str, Tensor]:
    """What the integers stand for, by the operator's node."""
    return {node: weights.real() for node, weights in quantized.weights.items() if weights is not None}


@dataclass(frozen=True)
class _Rounded:
    """Keeps each map as it is told."""

    how: Any

    def __call__(self, each: FeatureMap, values: Tensor) -> Tensor:
        rounding: Kept = self.how[each.node]
        return rounding.round_(values.clone())


def _rounded_name(graph: Any, output: FeatureMap) -> str:
    """The node of a simulated network that rounds the stage's output."""
    wanted = {f"rounded_{output.node}", f"rounded_{output.made}"}
    return next(str(node.name) for node in graph.graph.nodes if node.target in wanted)
