"""The planner: known answers, and brute force on tiny graphs."""

import random
from collections.abc import Iterator
from itertools import pairwise, product

import pytest

from predictors.hardware.memory_plan import Lifetime, Plan, liveness_bound, overlaps, plan


def chain(sizes: list[int]) -> list[Lifetime]:
    """Tensor i is made by operator i and read by operator i + 1."""
    return [Lifetime(f"t{i}", size, i, min(i + 1, len(sizes) - 1)) for i, size in enumerate(sizes)]


def test_no_tensors_need_no_memory() -> None:
    assert plan([]) == Plan({}, 0, 0)
    nothing = plan([Lifetime("a", 0, 0, 3), Lifetime("b", 0, 1, 1)])
    assert (nothing.peak_bytes, nothing.overhead) == (0, 1.0)
    assert set(nothing.offsets) == {"a", "b"}


def test_a_chain_needs_its_largest_neighbours() -> None:
    tensors = chain([3, 7, 5, 8, 1])
    result = plan(tensors)
    assert result.peak_bytes == result.liveness_bound_bytes == 13
    assert overlaps(tensors, result.offsets) == []


def test_tensors_that_never_meet_share_the_arena() -> None:
    result = plan([Lifetime("a", 9, 0, 1), Lifetime("b", 9, 2, 4)])
    assert result.offsets == {"a": 0, "b": 0}
    assert result.peak_bytes == 9


def test_a_held_residual_counts_at_every_operator_it_spans() -> None:
    block = [Lifetime("x", 10, 0, 3), Lifetime("wide", 60, 1, 2), Lifetime("deep", 60, 2, 3), Lifetime("y", 10, 3, 4)]
    assert plan(block).peak_bytes == liveness_bound(block) == 130


def test_in_place_operators_share_storage_and_a_smaller_output_frees_the_rest() -> None:
    # a depthwise convolution of stride 2 in place: behind it three quarters of its input's bytes are free
    tensors = [
        Lifetime("in", 40, 0, 1),
        Lifetime("half", 10, 1, 2, alias_of="in"),
        Lifetime("next", 30, 2, 3),
    ]
    result = plan(tensors)
    assert result.offsets["half"] == result.offsets["in"]
    assert result.peak_bytes == result.liveness_bound_bytes == 40


def test_a_chain_of_aliases_is_one_block() -> None:
    tensors = [
        Lifetime("a", 8, 0, 1),
        Lifetime("b", 8, 1, 2, "a"),
        Lifetime("other", 5, 2, 4),
        Lifetime("c", 6, 2, 3, "b"),
    ]
    result = plan(tensors)
    assert len({result.offsets[name] for name in "abc"}) == 1
    assert result.peak_bytes == 13


def test_the_plan_beats_first_fit_by_size_where_that_fragments() -> None:
    # MobileNetV1 0.25 at 96 x 96 (MLPerf Tiny visual wake words): the tensors of its first operators. TensorFlow Lite
    # Micro's greedy planner needs 73,728 bytes (measured), the liveness is 55,296.
    sizes = [27_648, 18_432, 18_432, 36_864, 9_216, 18_432, 18_432, 18_432, 4_608, 9_216, 9_216, 9_216, 2_304, 4_608]
    tensors = chain(sizes)
    result = plan(tensors, alignment=16)
    assert max(a + b for a, b in pairwise(sizes)) == 55_296
    assert result.peak_bytes == result.liveness_bound_bytes == 55_296


def test_offsets_and_sizes_are_multiples_of_the_alignment() -> None:
    tensors = chain([5, 17, 3, 16, 1])
    for alignment in (1, 4, 16):
        result = plan(tensors, alignment)
        assert all(offset % alignment == 0 for offset in result.offsets.values())
        assert overlaps(tensors, result.offsets) == []
        assert result.peak_bytes % alignment == 0
    assert plan(tensors, 16).peak_bytes == 48


def test_overlaps_finds_what_is_wrong() -> None:
    tensors = [Lifetime("a", 4, 0, 1), Lifetime("b", 4, 1, 2), Lifetime("c", 4, 2, 3), Lifetime("d", 4, 3, 3, "c")]
    good = {"a": 0, "b": 4, "c": 0, "d": 0}
    assert overlaps(tensors, good) == []
    assert overlaps(tensors, good | {"b": 3}) == [("a", "b"), ("b", "c")]
    assert overlaps(tensors, good | {"d": 4}) == [("c", "d")]


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ([Lifetime("a", 1, 0, 1), Lifetime("a", 1, 2, 3)], "one name"),
        ([Lifetime("a", -1, 0, 1)], "bytes >= 0"),
        ([Lifetime("a", 1, 3, 2)], "first <= last"),
        ([Lifetime("a", 1, 0, 1, "z")], "no tensor"),
        ([Lifetime("a", 1, 0, 1, "b"), Lifetime("b", 1, 0, 1, "a")], "circle"),
    ],
)
def test_tensors_that_make_no_sense_are_refused(tensors: list[Lifetime], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plan(tensors)


def test_an_alignment_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="alignment"):
        plan([], 0)


def random_tensors(rng: random.Random, count: int) -> list[Lifetime]:
    operators = rng.randint(1, 7)
    tensors = []
    for i in range(count):
        first = rng.randint(0, operators)
        alias = f"t{rng.randrange(i)}" if i and rng.random() < 0.15 else None
        size = rng.choice([0, 1, 2, 3, 5, 8, 13])
        tensors.append(Lifetime(f"t{i}", size, first, rng.randint(first, operators), alias))
    return tensors


def blocks_of(tensors: list[Lifetime]) -> list[dict[int, int]]:
    """Height by operator of each group of tensors that share storage, straight from the definition."""
    root = {tensor.name: tensor for tensor in tensors}
    groups: dict[str, dict[int, int]] = {}
    for tensor in tensors:
        top = tensor
        while top.alias_of is not None:
            top = root[top.alias_of]
        heights = groups.setdefault(top.name, {})
        for operator in range(tensor.first, tensor.last + 1):
            heights[operator] = max(heights.get(operator, 0), tensor.bytes)
    return list(groups.values())


def disjoint(one: dict[int, int], low: int, other: dict[int, int], high: int) -> bool:
    return all(
        low + size <= high or high + other[operator] <= low or 0 in (size, other[operator])
        for operator, size in one.items()
        if operator in other
    )


def top_of(block: dict[int, int]) -> int:
    return max(block.values())


def best_first_fit(blocks: list[dict[int, int]], bound: int) -> int:
    """The smallest arena over all orders of placing the blocks as low as they fit; ends early at the bound."""

    def extend(placed: list[tuple[dict[int, int], int]], left: list[dict[int, int]], peak: int) -> Iterator[int]:
        if not left:
            yield peak
        for i, block in enumerate(left):
            ends = sorted({0} | {offset + size for other, offset in placed for size in other.values()})
            spot = next(end for end in ends if all(disjoint(block, end, other, offset) for other, offset in placed))
            rest = [*left[:i], *left[i + 1 :]]
            yield from extend([*placed, (block, spot)], rest, max(peak, spot + top_of(block)))

    best = sum(map(top_of, blocks))
    for peak in extend([], blocks, 0):
        best = min(best, peak)
        if best == bound:
            break
    return best


@pytest.mark.parametrize("seed", range(20))
def test_the_peak_is_optimal_on_tiny_graphs(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        tensors = random_tensors(rng, rng.randint(1, 7))
        result, blocks = plan(tensors), blocks_of(tensors)
        operators = {operator for block in blocks for operator in block}
        bound = max(sum(block.get(operator, 0) for block in blocks) for operator in operators)
        assert result.liveness_bound_bytes == bound
        assert overlaps(tensors, result.offsets) == []
        assert result.peak_bytes == max(result.offsets[tensor.name] + tensor.bytes for tensor in tensors)
        assert result.peak_bytes == best_first_fit(blocks, bound)


def test_no_placement_at_all_is_smaller_on_the_tiniest_graphs() -> None:
    rng = random.Random(0)
    for _ in range(40):
        tensors = [t for t in random_tensors(rng, 4) if t.alias_of is None and t.bytes <= 3]
        blocks = blocks_of(tensors)
        total = sum(map(top_of, blocks))
        fitting = [
            max((low + top_of(block) for block, low in zip(blocks, offsets, strict=True)), default=0)
            for offsets in product(range(total + 1), repeat=len(blocks))
            if all(disjoint(blocks[i], offsets[i], blocks[j], offsets[j]) for i in range(len(blocks)) for j in range(i))
        ]
        assert plan(tensors).peak_bytes == min(fitting, default=0)


def test_graphs_too_large_for_brute_force_are_valid_near_the_bound_and_the_same_every_time() -> None:
    rng = random.Random(5)
    tensors = [Lifetime(str(i), rng.randint(1, 999), i // 2, i // 2 + rng.randint(0, 4)) for i in range(150)]
    result = plan(tensors, 16)
    assert overlaps(tensors, result.offsets) == []
    assert 1.0 <= result.overhead <= 1.05
    assert plan(tensors, 16) == result
