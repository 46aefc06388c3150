"""What the memory rule of every runtime keeps, on random networks of the mcunetv2 space and on published ones."""

import numpy as np
import pytest

from predictors.hardware.lifetimes import lifetimes
from predictors.hardware.memory import memory_rule, runtime_names
from predictors.hardware.memory_plan import liveness_bound
from predictors.hardware.patch_schedule import GRIDS
from predictors.hardware.price import bound_table, price_population, price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import LayerTable
from search_spaces.mcunetv2.settings import Mcunetv2Settings
from search_spaces.mcunetv2.space import Mcunetv2

RUNTIMES = runtime_names()


@pytest.fixture(scope="module", params=["per_stage", "per_block"])
def table(request: pytest.FixtureRequest) -> LayerTable:
    settings = Mcunetv2Settings(
        backbone="small", width=request.param, resolutions=(48, 64), channels=3, aspect=(4, 3), classes=10
    )
    space = Mcunetv2(settings)
    return space.decode(space.sample(np.random.default_rng(5), 12))


def test_the_runtimes_of_this_release() -> None:
    assert {"analytic", "c", "tinyengine"} <= set(RUNTIMES)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_rule_says_whose_it_is(runtime: str) -> None:
    rule = memory_rule(runtime)
    assert rule.runtime == runtime
    assert rule.title
    assert rule.source


def test_an_unknown_runtime_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="did you mean 'tinyengine'"):
        memory_rule("tinyengin")


@pytest.mark.parametrize("count_input", [False, True])
@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if memory_rule(name).planned is None])
def test_the_price_is_what_the_plan_of_the_arena_needs(table: LayerTable, runtime: str, count_input: bool) -> None:
    """Two independent readings of a rule: bytes alive over a population, and the lifetimes that lay out the arena."""
    alignment = memory_rule(runtime).alignment
    for schedule in ("none", "auto"):
        priced = price_table(table, runtime, schedule=schedule, count_input=count_input)
        for row in range(len(table)):
            patches, split = int(priced["patches"][row]), int(priced["split"][row])
            tensors = lifetimes(table, row, runtime, patches, split, count_input)
            assert liveness_bound(tensors, alignment) == priced["peak_sram_bytes"][row]


@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if memory_rule(name).planned is not None])
def test_a_plan_of_its_own_is_no_less_than_what_is_alive_and_has_no_patches(table: LayerTable, runtime: str) -> None:
    priced = price_table(table, runtime)
    assert (priced["patches"] == 1).all()
    for row in range(len(table)):
        alive = liveness_bound(lifetimes(table, row, runtime, 1, 0, count_input=True), memory_rule(runtime).alignment)
        assert alive <= bound_table(table, runtime)["peak_sram_bytes"][row] <= priced["peak_sram_bytes"][row]
    with pytest.raises(WrongUse, match="executes no patches"):
        price_table(table, runtime, schedule="2x1")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_image_costs_at_least_nothing_and_at_most_itself(table: LayerTable, runtime: str) -> None:
    without, counted = (
        price_table(table, runtime, schedule="none", count_input=c)["peak_sram_bytes"] for c in (False, True)
    )
    image = table.in_channels[:, 0] * table.in_height[:, 0] * table.in_width[:, 0]
    assert (without <= counted).all()
    assert (counted <= without + image + memory_rule(runtime).alignment).all()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_less_than_the_largest_tensor_and_no_more_than_all(table: LayerTable, runtime: str) -> None:
    maps = table.out_channels * table.out_height * table.out_width
    peak = price_table(table, runtime, schedule="none")["peak_sram_bytes"]
    assert (peak >= maps.max(axis=1)).all()
    rule = memory_rule(runtime)
    if rule.scratch is None and rule.planned is None:
        assert (peak <= maps.sum(axis=1)).all()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_best_schedule_is_no_worse_than_any(table: LayerTable, runtime: str) -> None:
    best = price_table(table, runtime)
    layerwise = price_table(table, runtime, schedule="none")
    assert (best["peak_sram_bytes"] <= layerwise["peak_sram_bytes"]).all()
    assert set(best["patches"].tolist()) <= {1, *GRIDS}
    assert np.array_equal(best["patches"] == 1, best["split"] == 0)
    assert np.array_equal(best["macs_layerwise"], layerwise["macs"])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_relaxing_a_limit_never_costs_macs_nor_feasibility(runtime: str) -> None:
    space = Mcunetv2.configured({"resolutions": "96,128"}, None)
    population = space.sample(np.random.default_rng(1), 300)
    before = None
    for limit in (16_384, 32_768, 65_536, 131_072, 10**9):
        priced = price_population(population, runtime, {"peak_sram_bytes": limit})
        if before is not None:
            assert (priced["fits"] >= before["fits"]).all()
            both = before["fits"]
            assert (priced["macs"][both] <= before["macs"][both]).all()
        before = priced
    assert before is not None
    assert before["fits"].all()
    assert (before["macs"] == before["macs_layerwise"]).all()
