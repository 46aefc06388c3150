"""What every strategy keeps to."""

import numpy as np
import pytest

from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.strategies import strategy_class, strategy_names
from nas.strategies.strategy import Strategy
from search_spaces.core.errors import WrongUse
from tests.nas.toy_space import Price, ToySpace, ToySpaceWithRule, accuracy, macs

OBJECTIVES = ["accuracy", "accuracy,macs", "accuracy,macs,params"]


def told(space: ToySpace, count: int) -> list[Trial]:
    population = space.sample(np.random.default_rng(7), count)
    scores, costs = accuracy(population.matrix, 4), macs(population)
    trials = [
        Trial(i, population[i], "complete", {"top1": float(scores[i]), "macs": int(costs[i]), "params": i})
        for i in range(count)
    ]
    return [*trials, Trial(count, population[0], "failed", {"macs": 1}, error="no")]


@pytest.fixture(params=strategy_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(name: str, objectives: str = "accuracy,macs") -> Strategy:
    return strategy_class(name)(ToySpaceWithRule(), parse_objectives(objectives), 100, price=Price())


@pytest.mark.parametrize("objectives", OBJECTIVES)
@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_candidates_are_members_of_the_space_in_canonical_form(name: str, objectives: str, count: int) -> None:
    strategy = make(name, objectives)
    if count:
        strategy.tell(told(ToySpace(), count))
    asked = strategy.ask(30, np.random.default_rng(0))
    assert 0 < len(asked) <= 30
    assert (asked.matrix == strategy.space.canonical(asked.matrix)).all()
    assert ((asked.matrix >= 0) & (asked.matrix < 4)).all()


def test_ask_is_a_pure_function_of_what_was_told_and_the_random_numbers(name: str) -> None:
    one, other = make(name), make(name)
    trials = told(ToySpace(), 40)
    one.tell(trials)
    for i in range(5):
        one.ask(17, np.random.default_rng(i))  # earlier questions leave no trace
    for start in range(0, len(trials), 7):
        other.tell(trials[start : start + 7])  # nor does how the telling was cut
    for size in (1, 20):
        first, second = one.ask(size, np.random.default_rng(9)), other.ask(size, np.random.default_rng(9))
        assert first.keys() == second.keys()


@pytest.mark.parametrize("objectives", OBJECTIVES)
def test_a_strategy_that_learns_repeats_nothing_and_keeps_to_exact_limits(name: str, objectives: str) -> None:
    if name in ("random", "evolution", "propose"):
        pytest.skip("their repeats and misfits are dropped by the caller")
    limit = 2300  # about half of the space
    made = strategy_class(name)(ToySpace(), parse_objectives(objectives), 100, Budget({"macs": limit}), Price(limit))
    made.tell([trial for trial in told(ToySpace(), 60) if trial.metrics["macs"] <= limit])
    asked = made.ask(8, np.random.default_rng(0))
    assert len(asked) == len(set(asked.keys())) == 8
    assert not made.seen & set(asked.keys())
    assert (macs(asked) <= limit).all()


def test_a_limit_on_a_measured_figure_leads_to_what_is_within_it(name: str) -> None:
    """Half of what was measured has too low an accuracy; a strategy that learns must propose less of that."""
    if name in ("random", "propose"):
        pytest.skip("they do not learn")
    space = ToySpace()
    made = strategy_class(name)(space, parse_objectives("macs,accuracy"), 100, Budget({"top1": 0.5}), Price())
    made.tell(told(space, 60))
    asked = np.concatenate([made.ask(16, np.random.default_rng(i)).matrix[:6] for i in range(4)])
    chance = (accuracy(space.sample(np.random.default_rng(3), 500).matrix, 4) >= 0.5).mean()
    assert (accuracy(asked, 4) >= 0.5).mean() > 1.3 * chance


def test_other_random_numbers_give_other_candidates(name: str) -> None:
    if name == "propose":
        pytest.skip("what a rule gives need not be random")
    strategy = make(name)
    strategy.tell(told(ToySpace(), 40))
    assert strategy.ask(20, np.random.default_rng(1)).keys() != strategy.ask(20, np.random.default_rng(2)).keys()


def test_only_failures_told_is_no_dead_end(name: str) -> None:
    strategy = make(name)
    strategy.tell([Trial(i, a, "failed", {}) for i, a in enumerate(ToySpace().sample(np.random.default_rng(0), 50))])
    assert len(strategy.ask(10, np.random.default_rng(0))) > 0


def test_no_objective_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="objective"):
        strategy_class(name)(ToySpace(), (), 100)


def test_names_are_the_files() -> None:
    assert {"evolution", "random"} <= set(strategy_names())
    assert "strategy" not in strategy_names()


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(WrongUse, match="unknown strategy 'evolutoin'; did you mean 'evolution'"):
        strategy_class("evolutoin")
