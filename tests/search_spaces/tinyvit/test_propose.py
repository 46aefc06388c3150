"""Networks in the published proportions, and the contraction of a large network under limits."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from predictors.hardware.price import price_population
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import Infeasible
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

SPACE: SearchSpace[Any] = space_class("tinyvit").configured({}, None)
TRIALS = 40


def price_within(**limits: float) -> Any:
    def price(population: Population) -> dict[str, NDArray[Any]]:
        return price_population(population, "analytic", limits, "none")

    return price


@pytest.mark.parametrize(("limit", "params"), [(6e6, 5_392_764), (11e6, 10_996_972), (21.2e6, 21_198_568)])
def test_without_trials_the_published_networks_come_back(limit: float, params: int) -> None:
    price = price_within(params=limit)
    found = SPACE.propose({"params": limit}, price)
    assert int(price(found)["params"][0]) == params


def test_too_small_a_budget_names_both_ends() -> None:
    with pytest.raises(Infeasible, match=r"they have [\d,]+ to 21,198,568 parameters"):
        SPACE.propose({"params": 1e5}, price_within(params=1e5))


def test_too_large_a_budget_names_both_ends() -> None:
    with pytest.raises(Infeasible, match=r"params <= 900,000,000 limits no network .* [\d,]+ to 21,198,568 parameters"):
        SPACE.propose({"params": 9e8}, price_within(params=9e8))


class Speed:
    """A made-up speed, one image a second and GMAC; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: set[bytes] = set()

    def __call__(self, population: Population) -> dict[str, NDArray[Any]]:
        self.asked |= set(population.keys())
        return {"images_per_second": 1e9 / price_within()(population)["macs"]}


def test_without_trials_the_largest_that_is_fast_enough_is_given_and_few_are_measured() -> None:
    speed, limits = Speed(), {"params": 6e6, "images_per_second": 2.0}
    found = SPACE.propose(limits, price_within(params=6e6), measure=speed)
    assert float(Speed()(found)["images_per_second"][0]) >= 2.0
    exact = SPACE.propose({"params": 6e6}, price_within(params=6e6))
    fast = exact[Speed()(exact)["images_per_second"] >= 2.0]
    assert found.keys() == fast.keys()[:1]
    assert 0 < len(speed.asked) <= 1 + len(exact).bit_length()


def test_a_speed_that_no_network_reaches_names_the_smallest_which_alone_is_measured() -> None:
    said = r"images_per_second >= 9,000, while the smallest that fits \(\w+\) has [\d.]+; give a limit that it meets"
    speed = Speed()
    with pytest.raises(Infeasible, match=said):
        SPACE.propose({"images_per_second": 9e3}, price_within(), measure=speed)
    assert len(speed.asked) == 1


def test_the_contraction_holds_parameters_and_speed_at_every_step() -> None:
    limits, told = {"params": 2e6, "images_per_second": 3.0}, list[tuple[Architecture, float]]()
    for trial in range(TRIALS):
        rng = np.random.default_rng([0, trial])
        speed = Speed()
        found = SPACE.propose(limits, price_within(), told, rng, TRIALS, speed)
        assert len(speed.asked) < 60
        told.append((found[0], float(found[0].options["stage3.depth"]) / 10))
    population = SPACE.population([architecture for architecture, _ in told])
    params, speeds = price_within()(population)["params"], Speed()(population)["images_per_second"]
    seed = SPACE.population(SPACE.extremes())[1:]
    for step in range(8):
        rows = slice(4 * step, 4 * step + 4)
        share = (step + 1) / 8
        first = float(price_within()(seed)["params"][0]), float(Speed()(seed)["images_per_second"][0])
        assert (params[rows] <= first[0] * (2e6 / first[0]) ** share * (1 + 1e-9)).all()
        assert (speeds[rows] >= first[1] * (3.0 / first[1]) ** share * (1 - 1e-9)).all()


def contracted(seed: int, limits: dict[str, float]) -> list[tuple[Architecture, float]]:
    """A walk whose accuracies are made up: the more blocks in stage 3, the better."""
    price, told = price_within(**limits), []
    for trial in range(TRIALS):
        rng = np.random.default_rng([seed, trial])
        found = SPACE.propose(limits, price, told, rng, TRIALS)
        told.append((found[0], float(found[0].options["stage3.depth"]) / 10))
    return told


def test_the_contraction_comes_down_step_by_step_and_ends_within_the_limits() -> None:
    limits = {"params": 2e6, "macs": 600e6}
    told = contracted(0, limits)
    priced = price_within()(SPACE.population([architecture for architecture, _ in told]))
    by_step = priced["params"][:32].reshape(8, 4).max(axis=1)
    assert (np.diff(by_step) < 0).all()
    assert by_step[0] > 5 * by_step[-1] > 5e6
    last = slice(-12, None)  # a search that runs eight ahead of what was told has its last four in the last step
    assert (priced["params"][last] <= 2e6).all()
    assert (priced["macs"][last] <= 600e6).all()


def test_it_keeps_what_was_good() -> None:
    """Random contraction halves the blocks of stage 3; where they make accuracy, most are kept."""
    kept = np.mean([contracted(seed, {"params": 2e6})[-1][0].options["stage3.depth"] for seed in range(3)])
    assert kept >= 4.5


def test_it_is_a_function_of_what_was_told() -> None:
    told = contracted(1, {"params": 3e6})[:17]
    price = price_within(params=3e6)
    one, other = (SPACE.propose({"params": 3e6}, price, told, np.random.default_rng(5), TRIALS) for _ in range(2))
    assert one.keys() == other.keys()
