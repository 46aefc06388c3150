"""Figures that are asked once a network, and what a resumed run knows already."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.assembly import assemble_for, make_space
from nas.config import RunConfig
from nas.feasibility import survey
from nas.gate import Gate
from search_spaces.core.errors import FitnasError, Infeasible
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace
from tests.told import Told

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


def test_what_a_run_was_told_is_not_asked_again_by_whoever_opens_it(tmp_path: Path) -> None:
    space, file = tinynet(), tmp_path / "slow_figures.json"
    population = space.population(space.extremes())
    first, counted = made(space)
    before = first(population[:1])  # as a survey asks, when there is no folder yet
    kept = first.kept_in(file)
    kept(population)
    other, never = made(space)
    found = other.kept_in(file)(population)
    assert (counted.asked, never.asked) == (2, 0)
    assert found["images_per_second"][0] == before["images_per_second"][0]
    assert set(found) == {"images_per_second", "images_per_second_batch"}


def test_figures_are_written_before_they_are_used(tmp_path: Path) -> None:
    space, file = tinynet(), tmp_path / "slow_figures.json"
    gate, _ = made(space)
    gate = gate.kept_in(file)
    for row in range(2):
        gate(space.population(space.extremes())[row : row + 1])
        assert len(json.loads(file.read_text())["figures"]) == row + 1
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_figures_of_another_setup_are_not_taken(tmp_path: Path) -> None:
    space, file = tinynet(), tmp_path / "slow_figures.json"
    smallest = space.population(space.extremes()[:1])
    gate, _ = made(space)
    gate.kept_in(file)(smallest)
    counted = Counted()
    Gate(space, counted, {"images_per_second": "measured: elsewhere"}, repeatable=False).kept_in(file)(smallest)
    assert counted.asked == 1


def test_a_damaged_memory_names_the_way_out(tmp_path: Path) -> None:
    file = tmp_path / "slow_figures.json"
    file.write_text('{"whose": ')
    gate, _ = made(tinynet())
    with pytest.raises(FitnasError, match=r"slow_figures.json is damaged .* delete it, and its networks are asked"):
        gate.kept_in(file)


def test_a_limit_that_the_smallest_networks_miss_is_told_before_a_search() -> None:
    config = RunConfig.checked(space="tinynet", budget="throughput=9999/s")
    parts = assemble_for(tinynet(), config)
    gate, counted = made(parts.space)
    limit = r"throughput >= 9,999 images/s, measured: host, torch fp32, batch 32, 1 thread"
    said = limit + r", while the fastest of \d networks \(\w+\) has \d+ images/s\. .* Give a limit that it meets"
    with pytest.raises(Infeasible, match=said):
        survey(parts.pricer, 0, gate)
    assert 2 <= counted.asked <= 9
    reachable = assemble_for(tinynet(), RunConfig.checked(space="tinynet", budget="throughput=90/s"))
    gate, counted = made(parts.space)
    survey(reachable.pricer, 0, gate)
    assert counted.asked == 1


def test_a_bar_moves_with_each_network_that_is_asked_and_none_opens_for_what_is_known() -> None:
    space, reporter = tinynet(), Told()
    gate, _ = made(space)
    ends = space.population(space.extremes())
    with gate.shown(reporter, most=5) as shown:
        for row in (0, 0, 1):
            shown(ends[row : row + 1])
    assert reporter.bars == [("measuring speed", [(0, 5), (1, 5), (2, 2)])]
    with gate.shown(reporter) as shown:
        shown(ends)
    assert len(reporter.bars) == 1


def test_a_survey_shows_what_it_measures() -> None:
    parts = assemble_for(tinynet(), RunConfig.checked(space="tinynet", budget="throughput=9999/s"))
    gate, counted = made(parts.space)
    reporter = Told()
    with pytest.raises(Infeasible):
        survey(parts.pricer, 0, gate, reporter)
    ((what, moves),) = reporter.bars
    assert what == "measuring speed"
    assert [done for done, _ in moves] == [*range(counted.asked), counted.asked]
    assert moves[0][1] >= counted.asked
