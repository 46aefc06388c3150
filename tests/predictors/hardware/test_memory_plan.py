"""The planner: known answers, brute force on tiny graphs, and agreement with the price on real networks."""

import random
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from predictors.hardware.geometry import admits_split
from predictors.hardware.memory import memory_rule
from predictors.hardware.memory_plan import Lifetime, Plan, lifetimes, liveness_bound, overlaps, plan
from predictors.hardware.price import Schedule, price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable
from search_spaces.core.registry import space_class, space_names
from search_spaces.mcunetv2.published import member_of, read_mcunet_configuration

KIB = 1024


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


def published(name: str) -> LayerTable:
    return space_class("mcunetv2").members()[name].table()


def configured(folder: Path, name: str) -> LayerTable:
    text = (folder / "mcu" / "net_configs" / f"{name}_imagenet.json").read_text()
    return member_of(name, "its configuration file", read_mcunet_configuration(text)).table()


def check_network(table: LayerTable, row: int, runtime: str, schedule: Schedule, count_input: bool = False) -> Plan:
    """Asserts that the plan is valid, near its bound, and that the bound is the priced peak; returns the plan."""
    priced = price_table(table.select(slice(row, row + 1)), runtime, schedule=schedule, count_input=count_input)
    patches, split = int(priced["patches"][0]), int(priced["split"][0])
    tensors = lifetimes(table, row, runtime, patches, split, count_input)
    result = plan(tensors, memory_rule(runtime).alignment)
    assert overlaps(tensors, result.offsets) == []
    assert result.peak_bytes <= 1.02 * result.liveness_bound_bytes
    # scratch buffers are rounded to the alignment here, and not in the price
    slack = 0 if memory_rule(runtime).scratch is None else 2 * (memory_rule(runtime).alignment - 1)
    assert 0 <= result.liveness_bound_bytes - int(priced["peak_sram_bytes"][0]) <= slack
    return result


@pytest.mark.parametrize(
    ("name", "schedule", "kib"),
    [
        ("mobilenet_v2", "none", 1372.0),
        ("mobilenet_v2", (4, 5), 171.5),
        ("mcunetv2_large", "none", 1372.0),
        ("mcunetv2_large", (4, 4), 214.4),
    ],
)
def test_the_papers_figures_under_the_papers_rule(name: str, schedule: Schedule, kib: float) -> None:
    result = check_network(published(name), 0, "analytic", schedule)
    assert result.peak_bytes / KIB == pytest.approx(kib, abs=0.5)


@pytest.mark.parametrize(
    ("name", "kib"), [("mcunet-10fps", 48.9), ("mcunet-256kb-1mb", 214.6), ("mcunet-512kb-2mb", 416.1)]
)
def test_tinyengines_published_arena(fitnas_data: Path, name: str, kib: float) -> None:
    result = check_network(configured(fitnas_data, name), 0, "tinyengine", "none")
    assert result.peak_bytes / KIB == pytest.approx(kib, abs=0.5)


@pytest.mark.parametrize("runtime", ["analytic", "c", "tinyengine"])
@pytest.mark.parametrize("count_input", [False, True])
def test_published_networks_under_every_rule(runtime: str, count_input: bool) -> None:
    for name in ("mobilenet_v2", "mcunetv2_large"):
        for schedule in ("none", "auto", (2, 3), (4, 4)):
            check_network(published(name), 0, runtime, schedule, count_input)


@pytest.mark.parametrize("name", ["mcunet-10fps", "mcunet-256kb-1mb", "mcunet-512kb-2mb", "mbv2-w0.35-r144"])
def test_configured_networks_under_every_rule(fitnas_data: Path, name: str) -> None:
    table = configured(fitnas_data, name)
    for runtime in ("analytic", "c", "tinyengine"):
        for schedule in ("none", "auto", (2, 3)):
            check_network(table, 0, runtime, schedule)


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({}, None),
        ({"width": "per_block"}, None),
        ({}, InputFacts(1, 8, 8, 10, 1797)),
        ({}, InputFacts(3, 100, 61, 5, 500)),
    ],
)
def test_random_architectures_cost_what_the_price_says(options: dict[str, str], facts: InputFacts | None) -> None:
    space = space_class("mcunetv2").configured(options, facts)
    table = space.decode(space.sample(np.random.default_rng(3), 12))
    for row in range(len(table)):
        for count_input in (False, True):
            check_network(table, row, "c", "none", count_input)
            check_network(table, row, "c", "auto", count_input)
        check_network(table, row, "tinyengine", "auto")


@pytest.mark.parametrize("name", space_names())
def test_random_members_of_every_space_under_random_schedules(name: str) -> None:
    space = space_class(name).configured({}, None)
    rng = np.random.default_rng([11, *name.encode()])
    table = space.decode(space.sample(rng, 6))
    for row in range(len(table)):
        schedules = [(1, 0), *product((2, 3, 4), range(1, 1 + int(table.cut[row].sum())))]
        for at in rng.permutation(len(schedules)):
            try:
                tensors = lifetimes(table, row, "c", *schedules[at])
            except WrongUse:
                continue
            made = plan(tensors)
            assert overlaps(tensors, made.offsets) == []
            assert made.overhead <= 1.02
            break


def test_every_schedule_of_a_random_architecture_costs_what_the_price_says() -> None:
    space = space_class("mcunetv2").configured({}, None)
    table = space.decode(space.sample(np.random.default_rng(11), 2))
    tried = 0
    for row in range(len(table)):
        numbers = np.cumsum(table.cut[row] & table.present[row])
        for slot in np.flatnonzero(admits_split(table)[:, row]):
            for patches in (2, 3, 4):
                side = min(table.out_height[row, slot], table.out_width[row, slot])
                if -(-side // patches) * (patches - 1) < side:
                    check_network(table, row, "c", (patches, int(numbers[slot])))
                    tried += 1
    assert tried > 30


def layer(name: str, kind: Kind, input_a: int, input_b: int = NO_INPUT, cut: bool = False) -> Layer:
    kernel = 3 if kind in (Kind.CONV, Kind.DEPTHWISE) else 1
    return Layer(name, kind, input_a, input_b, 4, 4, 8, 8, 8, 8, kernel=kernel, cut=cut)


BLOCK = LayerTable.from_layers(
    [
        layer("stem", Kind.CONV, NETWORK_INPUT, cut=True),
        layer("deep", Kind.DEPTHWISE, 0),
        layer("project", Kind.CONV, 1),
        layer("add", Kind.ADD, 2, 0, cut=True),
        layer("last", Kind.CONV, 3),
    ]
)


def alias_by_name(runtime: str, patches: int = 1, split: int = 0) -> dict[str, str | None]:
    return {tensor.name: tensor.alias_of for tensor in lifetimes(BLOCK, 0, runtime, patches, split)}


def test_an_operator_works_in_place_only_on_what_nobody_else_reads() -> None:
    # the depthwise convolution's input is the residual: it must survive until the addition
    assert alias_by_name("tinyengine")["deep"] is None
    assert alias_by_name("tinyengine")["add"] is None
    assert alias_by_name("c") == {"stem": None, "deep": None, "project": "stem", "add": "project", "last": None}


def test_the_papers_rule_accumulates_onto_the_residual() -> None:
    assert alias_by_name("analytic") == {"stem": None, "deep": None, "project": "stem", "add": "project", "last": None}


def test_a_patch_stage_holds_the_largest_patch_beside_the_whole_output() -> None:
    tensors = {tensor.name: tensor for tensor in lifetimes(BLOCK, 0, "c", 2, 2)}
    # 4 rows of the output need 5 of the depthwise output and 6 of the stem; one more each is padding
    sizes = {"patch:stem": 6, "patch:deep": 5, "patch:project": 4}
    assert {name: tensors[name].bytes for name in sizes} == {name: 4 * side * side for name, side in sizes.items()}
    assert tensors["patch:stem"].last == 3
    assert tensors["patch:project"].alias_of == "patch:stem"
    assert tensors["add"] == Lifetime("add", 4 * 64, 0, 4)
    assert not {"stem", "patch:add"} & set(tensors), "the output is written straight into its buffer"


def test_a_patch_stage_that_is_not_clipped_has_full_patches() -> None:
    tensors = {tensor.name: tensor for tensor in lifetimes(BLOCK, 0, "tinyengine", 2, 2)}
    # 4 x 4 rows of the output need 4 + 2 rows of the depthwise output and 6 + 2 of the stem
    sizes = {"patch:stem": 8, "patch:deep": 6, "patch:project": 4, "patch:add": 4}
    assert {name: tensors[name].bytes for name in sizes} == {name: 4 * side * side for name, side in sizes.items()}
    assert tensors["patch:stem"].last == 3
    assert tensors["add"] == Lifetime("add", 4 * 64, 0, 4)


def test_a_depthwise_convolution_in_place_has_a_plane_beside_it() -> None:
    def tensors(channels: int) -> dict[str, Lifetime]:
        size = {"in_height": 10, "in_width": 9, "out_height": 10, "out_width": 9}
        layers = [
            Layer("first", Kind.CONV, -1, -2, 3, channels, **size),
            Layer("deep", Kind.DEPTHWISE, 0, -2, channels, channels, kernel=3, groups=channels, **size),
            Layer("last", Kind.CONV, 1, -2, channels, 4, **size),
        ]
        return {tensor.name: tensor for tensor in lifetimes(LayerTable.from_layers(layers), 0, "c")}

    many, one = tensors(12), tensors(1)
    assert many["deep"].alias_of == "first"
    assert many["plane:deep"] == Lifetime("plane:deep", 12 * 12, 1, 1)  # its 11 columns are 12 in words
    assert one["deep"].alias_of is None, "the plane would be larger than the output"
    assert "plane:deep" not in one


def test_the_image_counts_while_it_is_read() -> None:
    image = {tensor.name: tensor for tensor in lifetimes(BLOCK, 0, "c", count_input=True)}["image"]
    assert (image.bytes, image.first, image.last) == (4 * 64, 0, 0)
    image = {tensor.name: tensor for tensor in lifetimes(BLOCK, 0, "c", 2, 2, count_input=True)}["image"]
    assert image.last == 3


@pytest.mark.parametrize(
    ("patches", "split", "words"),
    [
        (2, 0, "after block 0, only after: 1, 2"),
        (2, 9, "after block 9, only after: 1, 2"),
        (1, 2, "1 x 1 patches.*at least 2 x 2"),
        (7, 2, "7 x 7 patches of the 8 x 8 map after block 2.*leave none empty"),
    ],
)
def test_a_schedule_that_cannot_be_is_wrong_use(patches: int, split: int, words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        lifetimes(BLOCK, 0, "c", patches, split)


def test_an_unknown_runtime_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="did you mean 'tinyengine'"):
        lifetimes(BLOCK, 0, "tinyengin")


def test_a_residual_that_is_read_again_is_not_accumulated_onto():
    """Written onto, it would be lost for its second reader: the plan needs what the price says."""
    size = {"in_height": 10, "in_width": 10, "out_height": 10, "out_width": 10}
    layers = [
        Layer("first", Kind.CONV, -1, -2, 3, 4, **size),
        Layer("second", Kind.CONV, 0, -2, 4, 4, **size),
        Layer("add", Kind.ADD, 1, 0, 4, 4, **size),
        Layer("third", Kind.CONV, 2, -2, 4, 4, **size),
        Layer("add_again", Kind.ADD, 3, 0, 4, 4, **size),
    ]
    table = LayerTable.from_layers(layers)
    priced = price_table(table, "analytic", schedule="none")["peak_sram_bytes"][0]
    assert plan(lifetimes(table, 0, "analytic")).peak_bytes == priced
