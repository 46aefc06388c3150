"""TensorFlow Lite Micro: the head of its arena as its greedy planner lays it out, and what stays in the tail.

Head: every activation, the int8 input among them, in multiples of 16 bytes, by a re-implementation of
`GreedyMemoryPlanner` (tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc): largest first, of equals the one
made last, each at the lowest gap among those alive at the same operators. It reuses nothing in place, so that the head
can lie above the liveness.

Tail: what the interpreter allocates for good (micro_allocator.cc), of each operator the node, a `TfLiteEvalTensor` for
each of its tensors, the parsed options and the kernel's own data; of each convolution a multiplier and a shift a
channel, 4 bytes each. Bytes are those of a 64-bit build such as the interpreter from PyPI, where pointers are twice as
long as on a microcontroller: there the tail is smaller.
"""

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.memory.rule import Bytes, MemoryRule, Planned
from search_spaces.core.layer_table import NETWORK_INPUT, Kind, LayerTable

_ALIGNMENT = 16
_FAR = np.int64(1) << 60
_INTERPRETER_BYTES = 748
"""Allocators, planner, graph, and the tensors of input and output."""

_OPERATOR_BYTES = {
    Kind.CONV: 244, Kind.DEPTHWISE: 244, Kind.LINEAR: 244, Kind.ADD: 160, Kind.MULTIPLY: 140, Kind.POOL: 176,
    Kind.CONCAT: 172, Kind.NORM: 244, Kind.MATMUL: 244, Kind.OTHER: 176,
}  # fmt: skip
"""Measured as the slope of the tail over chains of one operator, without its channels."""

_WEIGHTED = (Kind.CONV, Kind.DEPTHWISE, Kind.LINEAR)
_SCALE_BYTES = 4
_SUM_BYTES = 4  # of an int32 a channel, in which a mean is added up


def head_bytes(table: LayerTable) -> Bytes:
    """The planned part of the arena `(n,)`."""
    sizes, first, last = _buffers(table)
    return greedy_peak(sizes, first, last)


def tail_bytes(table: LayerTable) -> Bytes:
    """What stays allocated `(n,)`, on a 64-bit machine."""
    result = np.full(len(table), _INTERPRETER_BYTES, dtype=np.int64)
    for kind, size in _OPERATOR_BYTES.items():
        slots = table.slots_of(kind)
        result += size * table.present[:, slots].sum(axis=1, dtype=np.int64)
        if kind in _WEIGHTED:
            channels = np.where(table.present[:, slots], table.out_channels[:, slots], 0).astype(np.int64)
            result += 2 * _aligned(_SCALE_BYTES * channels).sum(axis=1)
    return _aligned(result)


def arena_bytes(table: LayerTable) -> Bytes:
    """Head and tail together `(n,)`."""
    total: Bytes = head_bytes(table) + tail_bytes(table)
    return total


def least_arena_bytes(table: LayerTable) -> Bytes:
    """The bytes alive together at the neediest operator, and the tail `(n,)`: no plan needs less."""
    sizes, first, last = _buffers(table)
    changes = np.zeros((len(table), table.slots + 1), dtype=np.int64)
    rows = np.broadcast_to(np.arange(len(table))[:, None], sizes.shape)
    np.add.at(changes, (rows, first), sizes)
    np.add.at(changes, (rows, last + 1), -sizes)
    alive: Bytes = changes.cumsum(axis=1).max(axis=1, initial=0)
    return alive + tail_bytes(table)


def greedy_peak(sizes: Bytes, first: NDArray[np.integer], last: NDArray[np.integer]) -> Bytes:
    """The bytes `(n,)` that the greedy planner needs for buffers `(n, buffers)`, alive from `first` to `last`.

    Buffers are in the order in which they are handed to it. Those of 0 bytes are not there.

    >>> greedy_peak(np.array([[16, 32, 16]]), np.array([[0, 0, 1]]), np.array([[0, 1, 1]]))
    array([48])
    """
    n, count = sizes.shape
    beside = _beside(sizes, first, last)
    # one more column stands for no buffer
    padded = [np.concatenate([each, np.zeros((n, 1), each.dtype)], axis=1) for each in (sizes, first, last)]
    offsets = np.full((n, count + 1), _FAR)
    order = count - 1 - np.argsort(-sizes[:, ::-1], axis=1, kind="stable")
    rows = np.arange(n)
    peak = np.zeros(n, dtype=np.int64)
    for rank in range(count):
        buffer = order[:, rank]
        size = sizes[rows, buffer]
        if not size.any():
            break
        others = beside[buffer]
        begin, end = first[rows, buffer][:, None], last[rows, buffer][:, None]
        size_of, first_of, last_of = (np.take_along_axis(each, others, axis=1) for each in padded)
        starts = np.take_along_axis(offsets, others, axis=1)
        starts[(size_of == 0) | (first_of > end) | (last_of < begin)] = _FAR
        offset = _lowest_gap(starts, size_of, size)
        offsets[rows, buffer] = np.where(size > 0, offset, _FAR)
        np.maximum(peak, np.where(size > 0, offset + size, 0), out=peak)
    return peak


def _lowest_gap(starts: Bytes, sizes: Bytes, wanted: Bytes) -> Bytes:
    """The lowest offset `(n,)` with `wanted` free bytes among buffers `(n, others)`; those at `_FAR` are not placed."""
    by_start = np.argsort(starts, axis=1)
    starts = np.take_along_axis(starts, by_start, axis=1)
    ends = np.where(starts < _FAR, starts + np.take_along_axis(sizes, by_start, axis=1), 0)
    n = len(starts)
    begin = np.concatenate([np.zeros((n, 1), np.int64), np.maximum.accumulate(ends, axis=1)], axis=1)
    stop = np.concatenate([starts, np.full((n, 1), _FAR)], axis=1)
    found = np.argmax(stop - begin >= wanted[:, None], axis=1)
    lowest: Bytes = begin[np.arange(n), found]
    return lowest


def _beside(sizes: Bytes, first: NDArray[np.integer], last: NDArray[np.integer]) -> NDArray[np.intp]:
    """For each buffer those that are alive together with it in any row; what is left of a row is `buffers`."""
    count = sizes.shape[1]
    found: list[list[int]] = [[] for _ in range(count)]
    for i in range(count):
        together = (first[:, i + 1 :] <= last[:, i : i + 1]) & (last[:, i + 1 :] >= first[:, i : i + 1])
        together &= (sizes[:, i + 1 :] > 0) & (sizes[:, i : i + 1] > 0)
        for j in (np.flatnonzero(together.any(axis=0)) + i + 1).tolist():
            found[i].append(j)
            found[j].append(i)
    result = np.full((count, max((len(each) for each in found), default=0) or 1), count, dtype=np.intp)
    for i, each in enumerate(found):
        result[i, : len(each)] = each
    return result


def _buffers(table: LayerTable) -> tuple[Bytes, NDArray[np.int64], NDArray[np.int64]]:
    """Sizes, first and last operators: the input, what each operator makes, and the sums of means."""
    n, slots = table.present.shape
    made = np.where(table.present, table.out_channels.astype(np.int64) * table.out_height * table.out_width, 0)
    image = table.in_channels[:, :1].astype(np.int64) * table.in_height[:, :1] * table.in_width[:, :1]
    reads = (table.input_a == NETWORK_INPUT) | (table.input_b == NETWORK_INPUT)
    image_last = np.where(reads & table.present, np.arange(slots), 0).max(axis=1, initial=0)[:, None]
    here = np.broadcast_to(np.arange(slots), (n, slots))
    means = table.slots_of(Kind.POOL)
    summed = table.present[:, means] & (table.out_height[:, means] * table.out_width[:, means] == 1)
    sums = np.where(summed, _SUM_BYTES * table.out_channels[:, means].astype(np.int64), 0)
    sizes = _aligned(np.concatenate([image, made, sums], axis=1))
    first = np.concatenate([np.zeros((n, 1)), here, here[:, means]], axis=1).astype(np.int64)
    last = np.concatenate([image_last, table.last_use, here[:, means]], axis=1).astype(np.int64)
    return sizes, first, last


def _aligned(sizes: Bytes) -> Bytes:
    rounded: Bytes = -(-sizes // _ALIGNMENT) * _ALIGNMENT
    return rounded


RULE = MemoryRule(
    runtime="tflm",
    title="the arena: each activation of its own, the input too, laid out by the greedy planner, and a tail that stays",
    source="tensorflow/tflite-micro: memory_planner/greedy_memory_planner.cc, micro_allocator.cc",
    in_place=frozenset(),
    alignment=_ALIGNMENT,
    # layer norms and attention are floats here, and gates follow activations by table
    lacks=frozenset({Kind.NORM, Kind.MATMUL, Kind.MULTIPLY}),
    planned=Planned(arena_bytes, least_arena_bytes),
)
