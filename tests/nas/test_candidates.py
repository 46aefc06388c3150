from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.candidates import MOST_MEASURED, Candidates, Found, NothingLeft, round_sizes
from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.gate import Gate
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


class Slow:
    """A measurement of a toy population: a million images a second and MAC; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, population: Population) -> dict[str, NDArray[Any]]:
        self.asked += population.keys()
        return {"images_per_second": 1e6 / Price()(population)["macs"]}


def measured(measure: Slow, floor: float, limit: float = 2200, **more: Any) -> Candidates:
    budget = Budget({"macs": limit, "images_per_second": floor})
    return Candidates(ToySpace(), Price(limit), budget, measure=gate_of(ToySpace(), measure), **more)


def gate_of(space: ToySpace, measure: Slow) -> Gate:
    return Gate(space, measure, {"images_per_second": "measured: nowhere"}, repeatable=False)


def test_only_what_is_within_the_exact_limits_is_measured_and_one_by_one() -> None:
    slow = Slow()
    found = measured(slow, 1e6 / 1900).find(5, random_strategy(ToySpace()), set())
    assert isinstance(found, Found)
    assert found.metrics["macs"] <= 1900
    assert found.metrics["images_per_second"] == pytest.approx(1e6 / found.metrics["macs"])
    asked = Population(ToySpace(), np.stack([np.frombuffer(key, dtype=np.int16) for key in slow.asked]))
    costs = Price()(asked)["macs"]
    assert (costs <= 2200).all()
    assert (costs[:-1] > 1900).all()
    assert slow.asked[-1] == found.key


def test_what_was_too_slow_is_not_measured_again() -> None:
    slow = Slow()
    candidates = measured(slow, 1e6 / 1900)
    for _ in range(2):
        candidates.find(5, random_strategy(ToySpace()), set())
    assert len(set(slow.asked)) == len(slow.asked)


def test_where_nothing_is_fast_enough_measuring_ends_and_the_fastest_is_named() -> None:
    slow = Slow()
    left = measured(slow, 1e6).find(0, random_strategy(ToySpace()), set())
    assert isinstance(left, NothingLeft)
    assert left.measured == len(slow.asked) == 2 * MOST_MEASURED
    assert not left.whole_space
    fastest = max(
        1e6 / Price()(Population(ToySpace(), np.frombuffer(k, np.int16)[None]))["macs"][0] for k in slow.asked
    )
    assert f"throughput {fastest:,.0f} images/s (network " in left.nearest
    assert f"{left.candidates:,} candidates, 64 of them measured" in left.why("throughput >= 1,000,000 images/s")


def test_figures_that_are_known_are_not_of_the_measurements_that_are_spent() -> None:
    """As a resumed search finds them: more of the space known to be too slow than are measured for one proposal."""
    space, slow = ToySpace(ToySettings(choices=4, options=3)), Slow()
    gate = gate_of(space, slow)
    everything = space.population(space.architecture(np.array(row, dtype=np.int16)) for row in np.ndindex(3, 3, 3, 3))
    macs = Price()(everything)["macs"]
    gate(everything[macs > macs.min()])
    slow.asked.clear()
    budget = Budget({"images_per_second": 1e6 / macs.min()})
    candidates = Candidates(space, Price(), budget, measure=gate)
    found = candidates.find(0, random_strategy(space), set())
    assert isinstance(found, Found)
    assert found.architecture == space.extremes()[0]
    assert slow.asked == [found.key]
    left = candidates.find(1, random_strategy(space), {found.key})
    assert isinstance(left, NothingLeft)
    assert left.whole_space
    assert left.measured == 0


def test_the_whole_of_a_small_space_is_measured_before_it_is_called_exhausted() -> None:
    space, slow = ToySpace(ToySettings(choices=2, options=3)), Slow()
    candidates = Candidates(space, Price(), Budget({"images_per_second": 1e6 / 1200}), measure=gate_of(space, slow))
    seen = set[bytes]()
    while isinstance(found := candidates.find(len(seen), random_strategy(space), seen), Found):
        seen.add(found.key)
    assert found.whole_space
    assert (len(seen), len(slow.asked)) == (6, 9)


def test_an_objective_without_a_limit_is_measured_once_and_never_rejects() -> None:
    slow = Slow()
    found = Candidates(ToySpace(), Price(), measure=gate_of(ToySpace(), slow)).find(
        0, random_strategy(ToySpace()), set()
    )
    assert isinstance(found, Found)
    assert found.rejected == 0
    assert slow.asked == [found.key]


def test_a_search_that_is_stopped_measures_nothing_more() -> None:
    slow = Slow()
    gate = gate_of(ToySpace(), slow).until(lambda: len(slow.asked) >= 3)
    budget = Budget({"images_per_second": 1e6})
    left = Candidates(ToySpace(), Price(), budget, measure=gate).find(0, random_strategy(ToySpace()), set())
    assert isinstance(left, NothingLeft)
    assert not left.whole_space
    assert left.measured == len(slow.asked) == 3
