"""Figures that are asked once a network, and what a resumed run knows already."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.assembly import assemble_for, make_space
from nas.config import RunConfig
from nas.core.trial import Trial
from nas.feasibility import survey
from nas.gate import Gate
from search_spaces.core.errors import Infeasible
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

WHOSE = {"images_per_second": "measured: nowhere"}


class Counted:
    """A made-up speed that counts."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, population: Population) -> dict[str, NDArray[Any]]:
        self.asked += len(population)
        return {
            "images_per_second": 100.0 + population.matrix.sum(axis=1),
            "images_per_second_batch": np.full(len(population), 32.0),
        }


def made(space: SearchSpace[Any]) -> tuple[Gate, Counted]:
    counted = Counted()
    return Gate(space, counted, WHOSE, repeatable=False), counted


def tinynet(name: str = "tinynet") -> SearchSpace[Any]:
    return make_space(name, {"resolutions": "32,48"})


def test_each_network_is_asked_once_in_any_order() -> None:
    space = tinynet()
    gate, counted = made(space)
    population = space.sample(np.random.default_rng(0), 6)
    first = gate(population)
    backwards = gate(population[np.arange(5, -1, -1)])
    assert counted.asked == len(set(population.keys()))
    assert first["images_per_second"].tolist() == backwards["images_per_second"].tolist()[::-1]
    assert first["images_per_second"].tolist() == (100.0 + population.matrix.sum(axis=1)).tolist()


def test_two_recipes_of_one_network_are_one_network() -> None:
    space = tinynet("tinynet+recipe")
    gate, counted = made(space)
    row = space.population([space.extremes()[0]]).matrix
    other = row.copy()
    other[0, -1] = 1  # one more option of the last choice, which is a recipe's
    gate(Population(space, np.concatenate([row, other])))
    assert counted.asked == 1


def test_recorded_trials_are_not_asked_again() -> None:
    space = tinynet()
    gate, counted = made(space)
    population = space.population(space.extremes())
    metrics = {"macs": 5, "images_per_second": 7.0, "images_per_second_batch": 32.0}
    gate.remember([Trial(0, population[0], "complete", metrics), Trial(1, population[1], "failed", {"macs": 9})])
    assert gate(population)["images_per_second"][0] == 7.0
    assert counted.asked == 1
    assert set(gate(population)) == {"images_per_second", "images_per_second_batch"}


def test_a_limit_that_the_smallest_networks_miss_is_told_before_a_search() -> None:
    config = RunConfig.checked(space="tinynet", budget="throughput=9999/s")
    parts = assemble_for(tinynet(), config)
    gate, counted = made(parts.space)
    with pytest.raises(
        Infeasible, match=r"throughput >= 9,999 images/s, measured: host, torch.* the fastest has throughput"
    ):
        survey(parts.pricer, 0, gate)
    assert 2 <= counted.asked <= 9
    reachable = assemble_for(tinynet(), RunConfig.checked(space="tinynet", budget="throughput=90/s"))
    gate, counted = made(parts.space)
    survey(reachable.pricer, 0, gate)
    assert counted.asked == 1
