"""Lifetimes of real networks: their plans agree with the price, and what shares storage is what the rules say."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from predictors.hardware.geometry import admits_split
from predictors.hardware.lifetimes import lifetimes
from predictors.hardware.memory import memory_rule
from predictors.hardware.memory_plan import Lifetime, Plan, overlaps, plan
from predictors.hardware.price import Schedule, price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable
from search_spaces.core.registry import space_class, space_names
from search_spaces.mcunetv2.published import member_of, read_mcunet_configuration

KIB = 1024


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
