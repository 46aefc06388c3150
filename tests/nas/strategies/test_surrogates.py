import numpy as np
import pytest

from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.strategies.surrogates import Surrogates, descriptions, on_log_scale, raw_volume
from tests.nas.toy_space import ToySettings, ToySpace, accuracy, macs

BOTH = parse_objectives("accuracy,macs")


def test_the_log_scale_keeps_the_order_and_survives_the_ends() -> None:
    accuracy, latency = parse_objectives("accuracy,latency")
    [throughput] = parse_objectives("throughput")
    assert (np.diff(on_log_scale(accuracy, [0.0, 0.5, 0.99, 1.0])) < 0).all()
    assert (np.diff(on_log_scale(latency, [0.0, 1e-3, 1.0, 1e6])) > 0).all()
    assert (np.diff(on_log_scale(throughput, [1.0, 10.0])) < 0).all()
    assert np.isfinite(on_log_scale(accuracy, [1.0, 1.2])).all()
    assert np.isnan(on_log_scale(latency, [np.nan])).all()


def test_a_score_that_may_be_negative_is_left_as_it_is() -> None:
    both = parse_objectives("zero_cost,latency")
    assert on_log_scale(both[0], [-3.0, 0.0, 2.5]).tolist() == [3.0, 0.0, -2.5]
    points = np.array([[3.0, 0.0], [-2.5, 0.0], [-2.5, np.log(2.0)]])
    assert raw_volume(both, points) == pytest.approx([0.5, 0.5, 1.0])  # volume does not depend on the score


def test_options_are_counted_over_choices_that_share_them() -> None:
    space = ToySpace(ToySettings(choices=3, options=2))
    population = space.population([space.architecture(np.array([1, 0, 1], dtype=np.int16))])
    found = descriptions(population, {"macs": np.array([np.e - 1])})
    assert found.tolist() == [[0, 1, 1, 0, 0, 1, 1, 2, pytest.approx(1.0)]]


def models(objectives: str, budget: Budget, count: int = 80) -> tuple[Surrogates, ToySpace]:
    space = ToySpace()
    population = space.sample(np.random.default_rng(0), count)
    scores = accuracy(population.matrix, 4)
    latencies = 1.0 + population.matrix.sum(axis=1)
    trials = [
        Trial(i, population[i], "complete", {"top1": float(scores[i]), "latency_ms": float(latencies[i])})
        for i in range(count)
    ]
    known = {"macs": macs(population)}
    return Surrogates("linear_matern", parse_objectives(objectives), budget, population, trials, known), space


def test_what_is_priced_is_exact_and_what_is_measured_is_learnt() -> None:
    learnt, space = models("accuracy,macs", Budget())
    asked = space.sample(np.random.default_rng(1), 200)
    found = learnt.expect(asked, {"macs": macs(asked)})
    assert (found.mean[:, 1] == np.log(macs(asked))).all()
    assert (found.std[:, 1] == 0).all()
    error = found.mean[:, 0] - on_log_scale(BOTH[0], accuracy(asked.matrix, 4))
    assert np.sqrt(np.mean(error**2)) < 0.6 * on_log_scale(BOTH[0], accuracy(asked.matrix, 4)).std()
    assert 0.5 < (np.abs(error) < found.std[:, 0]).mean() < 0.95
    assert (found.chance == 1).all()


def test_a_limit_on_what_is_measured_and_no_objective_becomes_a_chance() -> None:
    learnt, space = models("accuracy,macs", Budget({"latency_ms": 13.0, "macs": 2000}))
    asked = space.sample(np.random.default_rng(1), 200)
    latency, chance = 1.0 + asked.matrix.sum(axis=1), learnt.expect(asked, {"macs": macs(asked)}).chance
    assert (chance[latency <= 11] > 0.9).all()
    assert (chance[latency >= 15] < 0.1).all()


def test_of_too_few_or_equal_figures_nothing_is_claimed() -> None:
    learnt, space = models("accuracy,macs", Budget(), count=3)
    asked = space.sample(np.random.default_rng(1), 5)
    found = learnt.expect(asked, {"macs": macs(asked)})
    assert np.ptp(found.mean[:, 0]) == 0
    assert (found.std[:, 0] > 0).all()
