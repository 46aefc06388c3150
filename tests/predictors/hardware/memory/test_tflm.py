"""The arena of TensorFlow Lite Micro, against its planner in plain Python."""

import numpy as np
import pytest

from predictors.hardware.memory.tflm import arena_bytes, greedy_peak, head_bytes, least_arena_bytes, tail_bytes
from predictors.hardware.price import price_table
from search_spaces.mcunetv2.space import Mcunetv2


def plain_greedy(buffers: list[tuple[int, int, int]]) -> int:
    """One row of (bytes, first, last), step by step as GreedyMemoryPlanner::CalculateOffsetsIfNeeded."""
    numbered = [(each, number) for number, each in enumerate(buffers) if each[0]]
    order = sorted(numbered, key=lambda pair: (-pair[0][0], -pair[1]))  # of equals the last one first
    placed: list[tuple[int, int, int, int]] = []  # offset, bytes, first, last
    for (size, first, last), _ in order:
        offset = 0
        for start, other, begin, end in sorted(placed):
            if begin > last or first > end:
                continue
            if start - offset >= size:
                break
            offset = max(offset, start + other)
        placed.append((offset, size, first, last))
    return max((offset + size for offset, size, _, _ in placed), default=0)


@pytest.mark.parametrize("seed", range(5))
def test_the_planner_is_the_plain_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, count = 40, 25
    sizes = 16 * rng.integers(0, 9, (rows, count))  # zeros and equals among them
    first = np.sort(rng.integers(0, 30, (rows, count)), axis=1)
    last = first + rng.integers(0, 6, (rows, count))
    peaks = greedy_peak(sizes, first, last)
    for row in range(rows):
        assert peaks[row] == plain_greedy(list(zip(sizes[row], first[row], last[row], strict=True)))


def test_nothing_to_plan() -> None:
    assert greedy_peak(np.zeros((2, 3), np.int64), np.zeros((2, 3), np.int64), np.zeros((2, 3), np.int64)).tolist() == [
        0,
        0,
    ]
    empty = np.zeros((0, 4), np.int64)
    assert len(greedy_peak(empty, empty, empty)) == 0


def test_rows_are_priced_alone_as_together() -> None:
    """Which buffers are beside which is found for all rows at once."""
    space = Mcunetv2.configured({"resolutions": "48,96"}, None)
    table = space.decode(space.sample(np.random.default_rng(2), 20))
    together = arena_bytes(table)
    alone = [int(arena_bytes(table.select(slice(row, row + 1)))[0]) for row in range(len(table))]
    assert together.tolist() == alone
    assert (least_arena_bytes(table) <= together).all()
    assert (head_bytes(table) + tail_bytes(table) == together).all()
    assert (price_table(table, "tflm")["peak_sram_bytes"] == together).all()


def test_the_tail_grows_by_channels_and_operators_alone() -> None:
    space = Mcunetv2.configured({"resolutions": "48,96"}, None)
    table = space.decode(space.population([space.extremes()[0], space.extremes()[1]]))
    small, large = tail_bytes(table).tolist()
    assert small < large
    at = [Mcunetv2.configured({"resolutions": size}, None) for size in ("48", "96")]
    tails = [int(tail_bytes(each.decode(each.population([each.extremes()[1]])))[0]) for each in at]
    assert tails[0] == tails[1]
