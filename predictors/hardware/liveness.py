"""Which bytes are alive while each operator runs, layer by layer, for a whole population.

Arrays here are `(slots, n)`: every slot contiguous.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import NETWORK_INPUT, Kind, LayerTable, SlotArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)

_BYTE_BITS = 8
PLANE_WORD = 4


def running(operation: np.ufunc, values: NDArray[T], *, backwards: bool = False) -> NDArray[T]:
    """`operation.accumulate(values, axis=0)`, which NumPy computes column by column, several times slower."""
    result = values.copy()
    order = result[::-1] if backwards else result
    for slot in range(1, len(order)):
        operation(order[slot - 1], order[slot], out=order[slot])
    return result


def alive(values: Floats, last_use: NDArray[np.integer]) -> Floats:
    """For every slot the sum of `values` of the tensors that were made before it and are read by it or later."""
    result = np.zeros_like(values)
    ends = last_use.max(axis=1, initial=-1)
    # most tensors die at the same slot in every row that has them
    alike = ((last_use == ends[:, None]) | (values == 0.0)).all(axis=1)
    for slot, (end, same) in enumerate(zip(ends.tolist(), alike.tolist(), strict=True)):
        later = np.arange(slot + 1, min(end + 1, len(values)))
        held = values[slot] if same else values[slot] * (last_use[slot] >= later[:, None])
        result[slot + 1 : end + 1] += held
    return result


def in_place(table: LayerTable, rule: MemoryRule) -> Bools:
    """Operators that write their output over their first input: allowed, no larger, and nobody reads that later."""
    result = np.zeros((table.slots, len(table)), dtype=bool)
    slots = table.slots_of(*rule.in_place)
    made = table.out_channels.T[slots] * table.out_height.T[slots] * table.out_width.T[slots]
    read = table.in_channels.T[slots] * table.in_height.T[slots] * table.in_width.T[slots]
    if table.widths is not None:
        kept = table.widths.kept_bits.T
        made = made * kept[slots]
        read = read * np.take_along_axis(kept, np.maximum(table.input_a.T[slots], 0), axis=0)
    result[slots] = (made <= read) & _reads_last(table, slots, table.input_a.T[slots])
    return result


def _reads_last(table: LayerTable, slots: SlotArray, source: NDArray[np.integer]) -> Bools:
    """Where the operator of a slot is the last reader of the tensor that `source` made; never for the image."""
    n = len(table)
    places = np.maximum(source, 0) * np.int64(n)
    places += np.arange(n)
    last_use = np.take(table.last_use.T.ravel(), places, mode="clip")
    result: Bools = (last_use == slots[:, None]) & (source >= 0)
    return result


def accumulated(table: LayerTable, kinds: Collection[Kind]) -> Bools:
    """Slots of some kinds that write straight onto the second input of the addition behind them; see `MemoryRule`."""
    result = np.zeros((table.slots, len(table)), dtype=bool)
    slots = table.slots_of(Kind.ADD)
    source, other = table.input_a.T[slots], table.input_b.T[slots]
    found = _reads_last(table, slots, source) & _reads_last(table, slots, other)
    found &= (source == table.before[slots]) & (other < source)
    found &= table.mask_of(*kinds)[np.maximum(source, 0)]
    for row_of_slots, sources in zip(found, source, strict=True):
        rows = np.flatnonzero(row_of_slots)
        result[sources[rows], rows] = True
    return result


@dataclass(frozen=True)
class Liveness:
    """Bytes of a population, run layer by layer.

    `channels`: bytes per position of each slot's tensor while it is alive, 0 where it is written onto another.
    `in_place`: slots whose output lies over their input. `map_bytes`: the tensors' bytes. `work`: bytes
    alive at each slot. `scratch`: the buffer that each slot needs. `(n,)`: `image_bytes` (0 where not counted),
    `constant`.
    """

    channels: Floats
    in_place: Bools
    map_bytes: Floats
    work: Floats
    scratch: Floats
    image_bytes: Floats
    constant: Floats

    def peak_bytes(self) -> Floats:
        """Peak `(n,)` without patches."""
        peak: Floats = self.work.max(axis=0, initial=0.0) + self.scratch.max(axis=0, initial=0.0) + self.constant
        return peak


def liveness(table: LayerTable, rule: MemoryRule, count_input: bool) -> Liveness:
    """The bytes alive at each operator; `count_input`: the whole image too, until its last reader has run."""
    channels = table.out_channels.T.astype(np.float64)
    if table.widths is not None:
        channels *= table.widths.kept_bits.T / _BYTE_BITS
    if rule.accumulates:
        channels *= ~accumulated(table, rule.accumulates)
    map_bytes = channels * (table.out_height * table.out_width).T
    if table.widths is not None:
        np.ceil(map_bytes, out=map_bytes)
    round_up(map_bytes, rule.alignment)
    overwrites = in_place(table, rule)
    work = alive(map_bytes, table.last_use.T)
    work += _beside_inputs(table, rule, map_bytes, overwrites)
    image_bytes = np.zeros(len(table))
    if count_input:
        image_bytes += table.in_channels[:, 0] * table.in_height[:, 0] * table.in_width[:, 0]
        round_up(image_bytes, rule.alignment)
        work += image_bytes * (np.arange(table.slots)[:, None] <= image_last_read(table))
    scratch, constant = _scratch(table, rule)
    return Liveness(channels, overwrites, map_bytes, work, scratch, image_bytes, constant)


def _beside_inputs(table: LayerTable, rule: MemoryRule, map_bytes: Floats, overwrites: Bools) -> Floats:
    """What each operator needs beside its inputs: its output, or where that lies over one what in place takes."""
    beside: Floats = map_bytes * ~overwrites
    if rule.plane:
        slots = table.slots_of(Kind.DEPTHWISE)
        sides = (table.out_height.T[slots], table.out_width.T[slots])
        planes = plane_bytes(*sides, table.kernel.T[slots], table.stride.T[slots], rule.alignment)
        beside[slots] = np.where(overwrites[slots], np.minimum(map_bytes[slots], planes), map_bytes[slots])
    return beside


def plane_bytes(height: Any, width: Any, kernel: Any, stride: Any, alignment: int) -> Any:
    """Bytes of one channel of a depthwise convolution's input with its padding, for so many outputs; rows are rounded
    up to words.
    """
    rows, columns = ((side - 1) * stride + kernel for side in (height, width))
    return _multiple(rows * _multiple(columns, PLANE_WORD), alignment)


def _multiple(size: Any, step: int) -> Any:
    return -(-size // step) * step


def round_up(sizes: Floats, step: int) -> None:
    """Rounds whole sizes up to multiples of `step`, in place."""
    if step > 1:
        sizes /= step
        np.ceil(sizes, out=sizes)
        sizes *= step


def image_last_read(table: LayerTable) -> NDArray[np.intp]:
    """The last slot `(n,)` that reads the image; -1 where none does."""
    reads = ((table.input_a == NETWORK_INPUT) | (table.input_b == NETWORK_INPUT)).T
    result = np.full(len(table), -1, dtype=np.intp)
    for slot in np.flatnonzero(reads.any(axis=1)):
        result[reads[slot]] = slot
    return result


def _scratch(table: LayerTable, rule: MemoryRule) -> tuple[Floats, Floats]:
    """Buffers by slot, and those of every schedule."""
    if rule.scratch is None:
        return np.zeros((0, len(table))), np.zeros(len(table))
    by_slot = rule.scratch.by_slot(table).T.astype(np.float64)
    slots = table.slots_of(Kind.DEPTHWISE)
    padded = table.kernel.T[slots] // 2 * 2
    maps = (table.in_height.T[slots] + padded) * (table.in_width.T[slots] + padded)
    by_slot[slots] = maps * table.present.T[slots] * rule.scratch.padded_map_bytes
    constant = rule.scratch.constant(table).astype(np.float64)
    for sizes in (by_slot, constant):
        round_up(sizes, rule.alignment)
    return by_slot, constant
