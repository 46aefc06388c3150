from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.candidates import Candidates, Found, NothingLeft, round_sizes
from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.strategies.random import RandomSearch
from search_spaces.core.population import Population
from tests.nas.toy_space import Price, ToySettings, ToySpace

OBJECTIVES = parse_objectives("accuracy,macs")


def random_strategy(space: ToySpace) -> RandomSearch:
    return RandomSearch(space, OBJECTIVES, 10)


def test_the_rounds_grow_and_add_up() -> None:
    assert list(round_sizes(20_000)) == [16, 64, 256, 1024, 4096, 8192, 6352]
    assert list(round_sizes(3)) == [3]


def test_the_first_candidate_that_fits_is_taken_and_those_before_it_are_counted() -> None:
    space = ToySpace()
    price = Price(limit=1900)
    found = Candidates(space, price, seed=3).find(5, random_strategy(space), set())
    assert isinstance(found, Found)
    asked = space.sample(np.random.default_rng([3, 5, 0]), 16)
    fits = price(asked)["fits"]
    assert found.rejected == int(np.argmax(fits)) > 0
    assert found.architecture == asked[found.rejected]
    assert found.metrics["macs"] <= 1900
    assert (found.patches, found.split) == (1, 0)


def test_a_candidate_that_was_seen_is_not_proposed_again() -> None:
    space = ToySpace()
    candidates = Candidates(space, Price(), seed=0)
    first = candidates.find(0, random_strategy(space), set())
    assert isinstance(first, Found)
    second = candidates.find(0, random_strategy(space), {first.key})
    assert isinstance(second, Found)
    assert second.architecture != first.architecture
    assert second.rejected == 1


def test_rare_candidates_are_found_in_later_rounds() -> None:
    space = ToySpace(ToySettings(choices=12, options=3))
    price = Price(limit=1000 + 100 * 3)
    found = Candidates(space, price).find(0, random_strategy(space), set())
    assert isinstance(found, Found)
    assert found.rejected > 16 + 64
    assert found.metrics["macs"] <= 1300


def test_where_samples_never_fit_the_smallest_architecture_leads_to_those_that_do() -> None:
    space = ToySpace(ToySettings(choices=24, options=4))
    found = Candidates(space, Price(limit=1000 + 100 * 12)).find(0, random_strategy(space), set())
    assert isinstance(found, Found)
    assert found.metrics["macs"] <= 2200
    assert found.rejected >= 20_000


def test_the_budget_holds_even_where_the_price_does_not_say_what_fits() -> None:
    def price(population: Population) -> dict[str, NDArray[Any]]:
        return {"macs": Price()(population)["macs"]}

    space = ToySpace()
    for number in range(20):
        found = Candidates(space, price, Budget({"macs": 1800.0})).find(number, random_strategy(space), set())
        assert isinstance(found, Found)
        assert found.metrics["macs"] <= 1800


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_figures_that_are_not_finite_are_never_proposed(bad: float) -> None:
    def price(population: Population) -> dict[str, NDArray[Any]]:
        even = population.matrix.sum(axis=1) % 2 == 0
        return {"macs": np.where(even, 5.0, bad), "fits": np.ones(len(population), dtype=bool)}

    space = ToySpace()
    for number in range(20):
        found = Candidates(space, price).find(number, random_strategy(space), set())
        assert isinstance(found, Found)
        assert found.metrics == {"macs": 5.0}


def test_the_rest_of_a_small_space_is_found_to_the_last_architecture() -> None:
    space = ToySpace(ToySettings(choices=3, options=4))
    candidates, seen = Candidates(space, Price(limit=1300)), set[bytes]()
    while isinstance(found := candidates.find(len(seen), random_strategy(space), seen), Found):
        seen.add(found.key)
    everything = space.population(space.architecture(np.array(row, dtype=np.int16)) for row in np.ndindex(4, 4, 4))
    assert len(seen) == int(Price(limit=1300)(everything)["fits"].sum()) == 20
    assert found.whole_space


def test_a_strategy_that_is_stuck_does_not_hide_the_rest_of_a_small_space() -> None:
    class Stuck(RandomSearch):
        def ask(self, n: int, rng: np.random.Generator) -> Population:
            return self.space.population([self.space.extremes()[0]] * n)

    space = ToySpace(ToySettings(choices=2, options=3))
    candidates, seen = Candidates(space, Price()), set[bytes]()
    while isinstance(found := candidates.find(len(seen), Stuck(space, OBJECTIVES, 10), seen), Found):
        seen.add(found.key)
    assert len(seen) == 9


def test_nothing_that_fits_ends_with_the_nearest_miss() -> None:
    space = ToySpace(ToySettings(choices=24, options=4))
    price = Price(limit=500)
    left = Candidates(space, price, Budget({"macs": 500.0})).find(0, random_strategy(space), set())
    assert isinstance(left, NothingLeft)
    assert not left.whole_space
    assert left.candidates == 20_000 + 8192
    assert left.nearest.startswith("macs 1,")
    assert price.priced < 40_000


def test_an_empty_answer_of_the_strategy_is_no_loop() -> None:
    class Silent(RandomSearch):
        def ask(self, n: int, rng: np.random.Generator) -> Population:
            return self.space.sample(rng, 0)

    space = ToySpace()
    found = Candidates(space, Price()).find(0, Silent(space, OBJECTIVES, 10), set())
    assert isinstance(found, Found)
