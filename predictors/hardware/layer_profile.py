"""One network layer by layer: what each operator computes and how many bytes are alive while it runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.hardware.counts import PRODUCTS, macs_by_slot, products_by_slot, weights_by_slot, work_by_slot
from predictors.hardware.geometry import Steps
from predictors.hardware.lifetimes import lifetimes
from predictors.hardware.memory import memory_rule
from predictors.hardware.patch_ranges import positions
from search_spaces.core.layer_table import LayerTable


@dataclass(frozen=True)
class LayerCost:
    """One operator. `macs` include the patches' recomputation; `sram_bytes` are all bytes alive while it runs, scratch
    buffers too; `patched` tells whether it runs patch by patch; `peak` marks the operators that need the most SRAM.
    """

    name: str
    kind: str
    input: tuple[int, int, int]
    output: tuple[int, int, int]
    kernel: int
    stride: int
    macs: int
    weights: int
    sram_bytes: int
    patched: bool
    peak: bool

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values; shapes are (channels, height, width)."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in self.__dict__.items()}


def layer_profile(
    table: LayerTable,
    runtime: str,
    patches: int = 1,
    split: int = 0,
    count_input: bool = False,
    mac_convention: str = PRODUCTS,
) -> list[LayerCost]:
    """The operators of a table of height one, in execution order, under a runtime and a schedule."""
    alive = _bytes_alive(table, runtime, patches, split, count_input)
    work, weights = work_by_slot(table, products_by_slot(table), mac_convention), weights_by_slot(table)
    present = np.flatnonzero(table.present[0])
    macs = macs_by_slot(table, work)[0, present]
    blocks_before = np.cumsum(table.cut[0, present]) - table.cut[0, present]
    patched = blocks_before < split
    if split:
        where = _clipped_positions if memory_rule(runtime).clips else _patched_positions
        macs = np.where(patched, work[0, present] * where(table, present, patched, patches), macs)
    result = []
    for i, layer in enumerate(table.layers(0)):
        result.append(
            LayerCost(
                layer.name,
                layer.kind.name.lower(),
                (layer.in_channels, layer.in_height, layer.in_width),
                (layer.out_channels, layer.out_height, layer.out_width),
                layer.kernel,
                layer.stride,
                int(macs[i]),
                int(weights[0, present[i]]),
                int(alive[i]),
                bool(patched[i]),
                bool(alive[i] == alive.max()),
            )
        )
    return result


def _patched_positions(table: LayerTable, present: Any, patched: Any, patches: int) -> Any:
    """Output positions that each operator computes over all patches of a stage, halos computed anew in each."""
    steps = Steps.of(table)
    stride, field = steps.stride[present, 0], steps.field[present, 0]
    last = int(np.flatnonzero(patched)[-1])
    sides = []
    for side in (table.out_height[0, present[last]], table.out_width[0, present[last]]):
        reach = patches * (field[last] - stride[last]) + side * stride[last]
        sides.append((reach + patches * (stride - field)) / stride)
    return np.rint(sides[0] * sides[1]).astype(np.int64)


def _clipped_positions(table: LayerTable, present: Any, patched: Any, patches: int) -> Any:
    """The same where patches end at the map's border."""
    counted = positions(table.layers(0), int(np.flatnonzero(patched)[-1]), patches)
    return np.array([counted.get(i, 0) for i in range(len(present))])


def _bytes_alive(table: LayerTable, runtime: str, patches: int, split: int, count_input: bool) -> Any:
    """Bytes alive at each present operator. Tensors that share storage count once, at the larger size."""
    step = memory_rule(runtime).alignment
    tensors = lifetimes(table, 0, runtime, patches, split, count_input)
    owner: dict[str, str] = {}
    for tensor in tensors:
        owner[tensor.name] = owner[tensor.alias_of] if tensor.alias_of else tensor.name
    count = int(table.present[0].sum())
    by_owner: dict[str, Any] = {}
    for tensor in tensors:
        size = -(-tensor.bytes // step) * step
        row = by_owner.setdefault(owner[tensor.name], np.zeros(count, dtype=np.int64))
        row[tensor.first : tensor.last + 1] = np.maximum(row[tensor.first : tensor.last + 1], size)
    return np.sum(list(by_owner.values()), axis=0)
