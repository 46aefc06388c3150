"""The networks that TinyNet's rule and the inverse of EfficientNet's give for a budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from predictors.hardware.price import price_population
from search_spaces.core.errors import Infeasible, WrongUse
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import Price, SearchSpace

Space = SearchSpace[Any]


def made(**settings: str) -> Space:
    return space_class("tinynet").configured(settings, None)


def price_within(limits: Mapping[str, float]) -> Price:
    def price(population: Population) -> Mapping[str, NDArray[Any]]:
        return price_population(population, "analytic", limits, "none")

    return price


def proposed(space: Space, **limits: float) -> tuple[Population, NDArray[Any]]:
    price = price_within(limits)
    found = space.propose(limits, price)
    return found, price(found)["macs"]


def test_at_their_macs_the_published_networks_come_back() -> None:
    """C to the unit; A within a channel step, since its MACs leave room for a width of 1.02."""
    found, macs = proposed(made(), macs=99_536_432)
    assert macs[0] == 99_536_432
    assert found[0].options["resolution"] == 184
    found, macs = proposed(made(), macs=339e6)
    assert found[0].options["resolution"] == 192
    assert 0.99 * 336_867_712 <= macs[0] <= 339e6


@pytest.mark.parametrize("rule", ["tiny", "giant"])
@pytest.mark.parametrize("limit", [3e6, 24e6, 100e6, 339e6])
def test_the_first_is_the_largest_within_the_budget_and_each_next_at_most_half(rule: str, limit: float) -> None:
    _, macs = proposed(made(rule=rule), macs=limit)
    assert 0.8 * limit <= macs[0] <= limit
    assert (macs[1:] <= macs[:-1] / 2).all()


def test_a_small_network_keeps_resolution_and_depth_where_the_giant_rule_keeps_width() -> None:
    tiny, giant = (proposed(made(rule=rule), macs=24e6)[0][0].options for rule in ("tiny", "giant"))
    assert float(tiny["depth"]) > float(giant["depth"])
    assert int(tiny["resolution"]) > int(giant["resolution"])


def test_other_limits_bind_as_well() -> None:
    limits = {"macs": 100e6, "peak_sram_bytes": 150_000.0}
    price = price_within(limits)
    columns = price(made().propose(limits, price))
    assert columns["fits"].all()
    assert columns["macs"][0] < 90e6


@pytest.mark.parametrize("limit", [1e5, 1e12])
def test_beyond_both_ends_is_infeasible_and_both_are_named(limit: float) -> None:
    with pytest.raises(Infeasible, match=r"the smallest network has 1,485,264 and the largest has 1,990,970,144"):
        proposed(made(), macs=limit)


def test_with_trials_the_rule_follows_the_users_own_front() -> None:
    """Accuracies are made up to rise with the resolution alone: the rule learns to spend on that."""
    space, limits = made(), {"macs": 50e6}
    price = price_within(limits)
    rng = np.random.default_rng(0)
    sample = space.propose(limits, price, (), rng, trials=100)
    assert len(sample) >= 80
    assert price(sample)["macs"].min() >= 0.03 * 50e6
    told = [(a, float(a.options["resolution"]) / 300) for a in list(sample)[:80]]
    found = space.propose(limits, price, told, rng, trials=100)
    published = space.propose(limits, price)
    assert int(found[0].options["resolution"]) > int(published[0].options["resolution"])
    assert space.propose(limits, price, told, rng, trials=100).keys() == found.keys()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rule": "huge"}, "rule"),
        ({"base": "resnet50"}, "base"),
        ({"resolutions": "96,64"}, "rising"),
        ({"resolutions": "8"}, "16"),
        ({"classes": "3"}, "comes from the data"),
        ({"resolution": "96"}, "resolutions"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        made(**settings)


def speed(population: Population) -> Mapping[str, NDArray[Any]]:
    """Made up: a thousand images a second and MMAC."""
    return {"images_per_second": 1e9 / price_within({})(population)["macs"]}


def test_the_largest_that_is_fast_enough_begins_the_ladder() -> None:
    limits = {"macs": 300e6, "images_per_second": 20.0}
    space, price = made(), price_within({"macs": 300e6})
    macs = price(space.propose(limits, price, measure=speed))["macs"]
    assert 0.8 * 1e9 / 20 <= macs[0] <= 1e9 / 20
    assert (macs[1:] <= macs[:-1] / 2).all()


def test_a_speed_beyond_every_network_of_the_rule_names_the_smallest() -> None:
    with pytest.raises(
        Infeasible, match=r"images_per_second >= 1,000, while the smallest network that fits \(493ef2201e\) has 501.1;"
    ):
        made().propose({"images_per_second": 1e3}, price_within({}), measure=speed)


@pytest.mark.parametrize("limit", [20e6, 80e6])
def test_a_base_of_other_blocks_follows_the_same_rule(limit: float) -> None:
    _, macs = proposed(made(base="ghostnet_100"), macs=limit)
    assert 0.8 * limit <= macs[0] <= limit
    assert (macs[1:] <= macs[:-1] / 2).all()
