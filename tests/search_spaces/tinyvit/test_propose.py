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


@pytest.mark.parametrize(("limit", "params"), [(6e6, 5_392_764), (11e6, 10_996_972), (22e6, 21_198_568)])
def test_without_trials_the_published_networks_come_back(limit: float, params: int) -> None:
    price = price_within(params=limit)
    found = SPACE.propose({"params": limit}, price)
    assert int(price(found)["params"][0]) == params


def test_too_small_a_budget_names_both_ends() -> None:
    with pytest.raises(Infeasible, match=r"they have [\d,]+ to 21,198,568 parameters"):
        SPACE.propose({"params": 1e5}, price_within(params=1e5))


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
    by_step = priced["params"].reshape(8, 5).max(axis=1)
    assert (np.diff(by_step) < 0).all()
    assert by_step[0] > 5 * by_step[-1] > 5e6
    last = slice(-5, None)
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
