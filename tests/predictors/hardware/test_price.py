from typing import Any

import numpy as np
import pytest

from predictors.hardware import price
from predictors.hardware.price import parse_schedule, price_population, price_table, schedules_of
from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.mcunetv2.published import mobilenet_v2
from search_spaces.mcunetv2.space import Mcunetv2

COLUMNS = {
    "macs",
    "macs_layerwise",
    "params",
    "weight_bytes",
    "bitops",
    "flash_bytes",
    "peak_sram_bytes",
    "patches",
    "split",
    "runs_in_tinyengine",
    "fits",
}


@pytest.fixture(scope="module")
def population() -> Population:
    return Mcunetv2.configured({"resolutions": "64,96"}, None).sample(np.random.default_rng(0), 250)


def table_of(arguments: dict[str, Any]) -> LayerTable:
    return LayerTable.from_layers(mbconv_layers(arguments))


@pytest.mark.parametrize(
    ("text", "schedule"), [("auto", "auto"), ("none", "none"), ("4x5", (4, 5)), ("2x1", (2, 1)), ("16x120", (16, 120))]
)
def test_schedules_are_read(text: str, schedule: object) -> None:
    assert parse_schedule(text) == schedule


@pytest.mark.parametrize(
    "text", ["", "Auto", "4", "x5", "4x", "1x5", "4x0", "-4x5", "4x5x6", "4 x 5", "04x5", "٤x٥", "4x" + "9" * 10_000]
)
def test_a_bad_schedule_is_wrong_use(text: str) -> None:
    with pytest.raises(WrongUse, match="4 x 4 patches over 5 blocks") as caught:
        parse_schedule(text)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("limits", [None, {"peak_sram_bytes": 30_000.0, "flash_bytes": 2e6}, {"macs": 1e7}])
@pytest.mark.parametrize("schedule", ["auto", "none"])
def test_pieces_do_not_change_prices(
    population: Population, monkeypatch: pytest.MonkeyPatch, limits: dict[str, float] | None, schedule: str
) -> None:
    whole = price_table(population.space.decode(population), "tinyengine", limits, schedule)
    monkeypatch.setattr(price, "_CHUNK", 7)
    pieces = price_population(population, "tinyengine", limits, schedule)
    alone = price_table(population.space.decode(population), "tinyengine", limits, schedule)
    assert whole.keys() == COLUMNS
    for name, column in whole.items():
        assert column.shape == (250,)
        assert np.array_equal(column, pieces[name])
        assert np.array_equal(column, alone[name])
        assert column.dtype == pieces[name].dtype == (bool if name in ("fits", "runs_in_tinyengine") else np.int64)


def test_nobody_costs_nothing(population: Population) -> None:
    columns = price_population(population[:0], "tinyengine", {"macs": 1.0})
    assert columns.keys() == COLUMNS
    full = price_population(population[:1], "tinyengine", {"macs": 1.0})
    assert {name: column.dtype for name, column in columns.items()} == {name: c.dtype for name, c in full.items()}


def test_limits_on_exact_figures_decide_what_fits(population: Population) -> None:
    free = price_population(population, "c", schedule="none")
    for name in ("params", "flash_bytes", "weight_bytes", "bitops", "macs_layerwise", "macs", "peak_sram_bytes"):
        limit = float(np.median(free[name]))
        columns = price_population(population, "c", {name: limit}, "none")
        assert np.array_equal(columns["fits"], free[name] <= limit)


def test_limits_on_figures_that_are_not_priced_are_left_to_others(population: Population) -> None:
    columns = price_population(population, "c", {"top1": 0.9, "latency_ms": 1.0})
    assert columns["fits"].all()
    # it is a budget all the same: least MACs, not least peak
    assert np.array_equal(columns["macs"], columns["macs_layerwise"])


def test_no_limits_and_an_empty_set_of_them_are_the_same(population: Population) -> None:
    none, empty = (price_population(population[:40], "c", limits) for limits in (None, {}))
    assert all(np.array_equal(none[name], empty[name]) for name in none)
    assert (none["patches"] > 1).any()


def test_rows_that_nothing_makes_fit_keep_their_figures_layer_by_layer(population: Population) -> None:
    columns = price_population(population, "tinyengine", {"peak_sram_bytes": 1.0})
    layerwise = price_population(population, "tinyengine", schedule="none")
    assert not columns["fits"].any()
    assert (columns["patches"] == 1).all()
    assert np.array_equal(columns["peak_sram_bytes"], layerwise["peak_sram_bytes"])


def test_the_limit_itself_fits(population: Population) -> None:
    one = population[:1]
    peak = int(price_population(one, "tinyengine", schedule="none")["peak_sram_bytes"][0])
    at, below = (price_population(one, "tinyengine", {"peak_sram_bytes": limit}) for limit in (peak, peak - 1))
    assert at["fits"].all()
    assert at["patches"].tolist() == [1]
    assert below["patches"].tolist() != [1] or not below["fits"].all()


def test_a_forced_schedule() -> None:
    table = table_of(mobilenet_v2())
    for schedule in ((4, 5), "4x5"):
        columns = price_table(table, "analytic", {"peak_sram_bytes": 10.0}, schedule)
        assert (columns["patches"][0], columns["split"][0]) == (4, 5)
        assert columns["peak_sram_bytes"][0] == 175_616
        assert not columns["fits"][0]


@pytest.mark.parametrize("schedule", [(4, 18), (4, 99), (9, 5), (29, 3), "400x2"])
def test_a_schedule_that_a_network_does_not_admit_is_wrong_use(schedule: Any) -> None:
    table = table_of(mobilenet_v2(64))
    with pytest.raises(WrongUse, match=r"network 0 cannot be split after block \d+ .* patch stage: 1, 2, 3"):
        price_table(table, "analytic", None, schedule)


def test_the_first_network_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Mcunetv2.configured({"resolutions": "32,96"}, None)
    big, small = space.extremes()[1], space.extremes()[0]
    population = space.population([big, big, small])
    monkeypatch.setattr(price, "_CHUNK", 2)
    # the largest has 23 blocks, the smallest 13
    with pytest.raises(WrongUse, match="network 2 cannot be split after block 14"):
        price_population(population, "analytic", None, (2, 14))


def test_unknown_names_are_wrong_use(population: Population) -> None:
    with pytest.raises(WrongUse, match="did you mean 'analytic'"):
        price_population(population, "analitic")
    with pytest.raises(WrongUse, match="a schedule is"):
        price_population(population, "analytic", schedule="best")


def test_patches_that_cost_nothing_are_taken_where_they_lower_the_peak() -> None:
    """No kernel behind the first convolution sees a neighbour, so the first two blocks recompute nothing."""
    fused = {"in": 32, "mid": 0, "out": 8, "kernel": 1, "stride": 1, "residual": False, "squeeze": 0}
    narrow = {**fused, "in": 8, "mid": 16, "kernel": 3, "stride": 2}
    stem = {"out": 32, "kernel": 3, "stride": 2}
    table = table_of({"input_size": [3, 64, 64], "stem": stem, "blocks": [fused, narrow], "mix": 0, "classes": 2})
    layerwise = price_table(table, "analytic", schedule="none")
    columns = price_table(table, "analytic", {"peak_sram_bytes": 1e9})
    # the rest decides the peak, so that the smallest grid does
    assert (columns["patches"][0], columns["split"][0]) == (2, 2)
    assert columns["macs"][0] == columns["macs_layerwise"][0]
    assert columns["peak_sram_bytes"][0] == 32 * 32 * (8 + 16) < layerwise["peak_sram_bytes"][0]


def test_kernels_smaller_than_their_stride_may_save_macs() -> None:
    """Patches compute only what is read: a 1x1 convolution of stride 2 skips half of the rows before it."""
    fused = {"in": 8, "mid": 16, "out": 8, "kernel": 1, "stride": 1, "residual": False, "squeeze": 0}
    wide = {**fused, "mid": 200, "kernel": 3}
    stem = {"out": 8, "kernel": 3, "stride": 1}
    layers = mbconv_layers({"input_size": [3, 32, 32], "stem": stem, "blocks": [fused, wide], "mix": 0, "classes": 2})
    halved = [layer._replace(in_height=16, in_width=16, out_height=16, out_width=16) for layer in layers[3:6]]
    skipping = layers[2]._replace(stride=2, out_height=16, out_width=16)
    table = LayerTable.from_layers(
        [*layers[:2], skipping, *halved, layers[6]._replace(in_height=16, in_width=16), layers[7]]
    )
    layerwise = price_table(table, "analytic", schedule="none")
    for limits in ({"peak_sram_bytes": 1e9}, {"macs": float(layerwise["macs"][0] - 1)}):
        columns = price_table(table, "analytic", limits)
        assert (columns["patches"][0], columns["split"][0]) == (4, 2)
        assert columns["macs"][0] < columns["macs_layerwise"][0]
        # the second block decides the peak, patches or not
        assert columns["peak_sram_bytes"][0] == layerwise["peak_sram_bytes"][0] == 16 * 16 * (8 + 200)
        assert columns["fits"][0]


@pytest.mark.parametrize(
    ("changes", "schedule", "accepted"),
    [
        ({}, (4, 5), True),
        ({}, (3, 5), False),  # 28 pixels do not divide by 3
        ({}, "none", True),
        ({"input_size": [1, 224, 224]}, (4, 5), False),
        ({"input_size": [3, 224, 192]}, (4, 5), False),
        ({"input_size": [3, 224, 192]}, "none", True),
        ({"stem": {"out": 32, "kernel": 3, "stride": 1}}, (4, 5), False),
        ({"stem": {"out": 32, "kernel": 5, "stride": 2}}, (4, 5), False),
    ],
)
def test_what_tinyengines_generator_accepts(changes: dict[str, Any], schedule: Any, accepted: bool) -> None:
    columns = price_table(table_of(mobilenet_v2() | changes), "tinyengine", None, schedule)
    assert bool(columns["runs_in_tinyengine"][0]) == accepted


def test_tinyengines_patches_know_3x3_alone_but_what_runs_behind_them_may_be_wider() -> None:
    for index, accepted in ((2, False), (9, True)):
        arguments = mobilenet_v2()
        arguments["blocks"][index]["kernel"] = 5
        columns = price_table(table_of(arguments), "tinyengine", None, (4, 5))
        assert bool(columns["runs_in_tinyengine"][0]) == accepted


def test_a_strict_runtime_takes_only_what_its_generator_accepts() -> None:
    table = table_of(mobilenet_v2())
    free, strict = (schedules_of(table, "tinyengine", strict) for strict in (False, True))
    assert 0 < strict[0] < free[0]
    np.testing.assert_array_equal(schedules_of(table, "c", strict=True), schedules_of(table, "c"))  # it takes all
    assert schedules_of(table, "tflm")[0] == 0
    with pytest.raises(WrongUse, match="the generator of tinyengine does not accept it"):
        price_table(table, "tinyengine", None, (3, 5), strict=True)
    assert price_table(table, "tinyengine", None, (4, 5), strict=True)["split"][0] == 5


def test_a_strict_price_is_the_best_of_the_accepted_schedules() -> None:
    space = Mcunetv2.configured({"resolutions": "96,112"}, InputFacts(3, 112, 112, 10, 300))
    population = space.sample(np.random.default_rng(4), 200)
    free, strict = (price_population(population, "tinyengine", strict=strict) for strict in (False, True))
    assert strict["runs_in_tinyengine"].all()
    kept = free["runs_in_tinyengine"]
    assert 0 < kept.sum() < len(kept)
    for column in ("peak_sram_bytes", "macs", "patches", "split"):
        np.testing.assert_array_equal(strict[column][kept], free[column][kept])
    assert (strict["peak_sram_bytes"] >= free["peak_sram_bytes"]).all()
    limits = {"peak_sram_bytes": float(np.median(strict["peak_sram_bytes"]))}
    within = price_population(population, "tinyengine", limits, strict=True)
    assert within["runs_in_tinyengine"].all()
    np.testing.assert_array_equal(within["fits"], strict["peak_sram_bytes"] <= limits["peak_sram_bytes"])
