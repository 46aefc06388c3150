from typing import Any

import numpy as np
import pytest

from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.strategies.evolution import Evolution, best_rows, crowding_distance
from search_spaces.core.population import Population
from tests.nas.toy_space import ToySettings, ToySpace, accuracy, macs

BOTH = parse_objectives("accuracy,macs")
ALL = np.ones(100, dtype=bool)


def trials_of(population: Population, start: int = 0, **changed: Any) -> list[Trial]:
    scores = accuracy(population.matrix, population.space.settings.options)
    costs = macs(population)
    return [
        Trial(start + i, population[i], "complete", {"top1": float(scores[i]), "macs": int(costs[i]), **changed})
        for i in range(len(population))
    ]


def test_crowding_distance_of_a_known_front() -> None:
    front = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]])
    expected = [np.inf, 4 / 10 + 5 / 10, 9 / 10 + 6 / 10, np.inf]
    np.testing.assert_allclose(crowding_distance(front), expected)


def test_crowding_distance_of_few_and_of_equal_rows() -> None:
    assert crowding_distance(np.zeros((0, 2))).tolist() == []
    assert crowding_distance([[1.0, 2.0]]).tolist() == [0.0]
    assert crowding_distance([[0.0, 1.0], [1.0, 0.0]]).tolist() == [np.inf, np.inf]
    assert crowding_distance([[3.0, 3.0]] * 4).tolist() == [0.0] * 4


def test_the_best_rows_come_by_rank_then_by_distance() -> None:
    table = np.array([[5.0, 5.0], [0.0, 9.0], [9.0, 0.0], [1.0, 2.0], [1.5, 1.9], [6.0, 6.0]])
    assert best_rows(table, ALL[:6], 6) == [1, 2, 4, 3, 0, 5]
    assert best_rows(table, ALL[:6], 3) == [1, 2, 4]
    assert best_rows(table[:0], ALL[:0], 3) == []


def test_with_one_objective_the_best_rows_come_by_value() -> None:
    assert best_rows(np.array([[3.0], [1.0], [2.0], [1.0]]), ALL[:4], 3) == [1, 3, 2]


def test_what_breaks_a_limit_comes_last_and_what_is_not_finite_never() -> None:
    table = np.array([[0.0], [1.0], [np.nan], [3.0], [-np.inf]])
    assert best_rows(table, np.array([False, True, True, True, True]), 5) == [1, 3, 0]


def test_it_scales_with_the_number_of_trials() -> None:
    space = ToySpace()
    strategies = {n: Evolution(space, BOTH, n) for n in (1, 200, 300, 2000, 9000)}
    sizes = {n: (strategy.random_trials, strategy.parent_count) for n, strategy in strategies.items()}
    assert sizes == {1: (8, 8), 200: (10, 10), 300: (15, 15), 2000: (100, 20), 9000: (100, 20)}


def test_the_ends_of_the_space_come_first_then_random_ones() -> None:
    space = ToySpace()
    strategy = Evolution(space, BOTH, 200)
    asked = strategy.ask(10, np.random.default_rng(0))
    assert list(asked[:2]) == list(space.extremes())
    strategy.tell(trials_of(asked[:9]))
    samples = strategy.ask(1000, np.random.default_rng(1))
    assert samples.keys() == space.sample(np.random.default_rng(1), 1000).keys()


def test_parents_are_the_front_with_its_ends() -> None:
    space = ToySpace()
    strategy = Evolution(space, BOTH, 200)
    everything = trials_of(space.sample(np.random.default_rng(0), 60))
    strategy.tell(everything)
    parents = strategy.parents()
    assert len(parents) == 10
    assert max(everything, key=lambda t: t.metrics["top1"]).architecture in list(parents)
    assert min(everything, key=lambda t: t.metrics["macs"]).metrics["macs"] in macs(parents)


def test_failed_trials_and_those_without_a_figure_are_no_parents() -> None:
    space = ToySpace()
    good = trials_of(space.sample(np.random.default_rng(0), 12))
    bad = [Trial(20 + i, a, "failed", {"macs": 1}) for i, a in enumerate(space.sample(np.random.default_rng(1), 12))]
    half = [Trial(40, space.extremes()[0], "complete", {"macs": 1})]
    strategy = Evolution(space, BOTH, 200)
    strategy.tell([*good, *bad, *half])
    assert set(strategy.parents()) <= {trial.architecture for trial in good}


def test_trials_over_a_measured_limit_are_parents_only_where_others_are_missing() -> None:
    space = ToySpace()
    inside = trials_of(space.sample(np.random.default_rng(0), 4), latency_ms=10.0)
    outside = trials_of(space.population([space.extremes()[0]]), 4, latency_ms=30.0)
    strategy = Evolution(space, BOTH, 40, Budget({"latency_ms": 20.0}))
    strategy.tell([*inside, *outside])
    parents = list(strategy.parents())
    assert len(parents) == 5
    assert parents[-1] == space.extremes()[0]


def test_children_mix_crossovers_mutations_and_a_few_random_ones() -> None:
    space = ToySpace(ToySettings(choices=20, options=50))
    strategy = Evolution(space, BOTH, 200)
    told = trials_of(space.sample(np.random.default_rng(0), 40))
    strategy.tell(told)
    parents = strategy.parents().matrix
    children = strategy.ask(4000, np.random.default_rng(2)).matrix
    # A mutation is near one parent; a crossover has, in every choice, an option of some parent; a random one neither.
    distance = (children[:, None, :] != parents[None]).sum(axis=2).min(axis=1)
    inherited = np.array([[(parents[:, c] == row[c]).any() for c in range(20)] for row in children]).all(axis=1)
    assert 0.45 < inherited.mean() < 0.62
    assert 0.35 < (~inherited & (distance <= 7)).mean() < 0.5
    assert 0.03 < (~inherited & (distance > 12)).mean() < 0.07


@pytest.mark.parametrize("objectives", ["accuracy", "accuracy,macs"])
def test_it_does_not_collapse_to_one_architecture(objectives: str) -> None:
    space = ToySpace(ToySettings(choices=20, options=4))
    strategy = Evolution(space, parse_objectives(objectives), 200)
    asked = strategy.ask(8, np.random.default_rng(0))
    for number in range(25):
        strategy.tell(trials_of(asked, 8 * number))
        asked = strategy.ask(8, np.random.default_rng(number + 1))
    children = strategy.ask(500, np.random.default_rng(99)).matrix
    pairs = (children[:250] != children[250:]).sum(axis=1)
    assert len(np.unique(children, axis=0)) > 150
    assert (pairs > 6).mean() > 0.05
