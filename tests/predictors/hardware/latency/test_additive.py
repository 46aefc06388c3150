"""Known answers of the sum and of what is learnt beyond it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from predictors.core.scores import mape
from predictors.hardware.latency.additive import Additive
from predictors.hardware.latency.stack import Stack
from search_spaces.core.errors import WrongUse

Floats = NDArray[np.float64]
COSTS = np.array([0.5, 2.0, 0.1, 0.0])


def counts(n: int, seed: int) -> Floats:
    return np.random.default_rng(seed).integers(0, 12, (n, 4)).astype(float)


def test_a_true_sum_is_recovered() -> None:
    learnt, others = counts(20, 0), counts(100, 1)
    model = Additive().fit(learnt, 3 + learnt @ COSTS)
    assert model.constant == pytest.approx(3, rel=0.01)
    assert model.coefficients == pytest.approx(COSTS, abs=0.005)
    found = model.predict(others)
    assert mape(3 + others @ COSTS, found.mean) < 1e-3
    assert (found.high / found.low < 1.02).all()


def test_outliers_are_flagged_and_change_little() -> None:
    learnt = counts(40, 0)
    truth = 3 + learnt @ COSTS
    wrong = np.zeros(40, dtype=bool)
    wrong[[3, 17, 29, 31]] = True
    measured = np.where(wrong, 4 * truth, truth) * np.exp(np.random.default_rng(1).normal(0, 0.01, 40))
    model = Additive().fit(learnt, measured)
    assert model.outliers.tolist() == wrong.tolist()
    assert mape(truth, model.predict(learnt).mean) < 0.01


def test_columns_that_sum_up_to_a_constant_are_no_trouble() -> None:
    learnt = np.column_stack([counts(30, 0), np.zeros(30)])
    learnt[:, 4] = 60 - learnt.sum(axis=1)
    measured = 3 + learnt[:, :4] @ COSTS
    assert mape(measured, Additive().fit(learnt, measured).predict(learnt).mean) < 1e-3


def test_more_work_takes_no_time_off_unless_that_is_clear() -> None:
    learnt = counts(30, 0)
    noisy = (3 + learnt @ COSTS) * np.exp(np.random.default_rng(1).normal(0, 0.1, 30))
    assert (Additive().fit(learnt, noisy).coefficients >= 0).all()
    # a count of all, and of those that are twice as quick
    overlapping = 3 + 2.0 * (learnt[:, 0] + learnt[:, 1]) - 1.0 * learnt[:, 1]
    features = np.column_stack([learnt[:, 0] + learnt[:, 1], learnt[:, 1]])
    assert Additive().fit(features, overlapping).coefficients == pytest.approx([2, -1], abs=0.05)


def test_fewer_networks_than_coefficients_are_refused() -> None:
    learnt = np.random.default_rng(0).integers(0, 9, (9, 9)).astype(float)
    for model in (Additive(), Stack()):
        with pytest.raises(WrongUse, match="learns 9 features from at least 10 measured networks, got 9"):
            model.fit(learnt, 1 + learnt.sum(axis=1))


@pytest.mark.parametrize("count", [30, 100])
def test_intervals_hold_what_they_say(count: int) -> None:
    """Over drawn data sets, 90 % of new measurements lie inside; half of them in those of 50 %."""
    inside: dict[float, list[float]] = {0.9: [], 0.5: []}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        learnt, others = counts(count, 2 * seed), counts(300, 2 * seed + 1)
        draw = lambda rows: (3 + rows @ COSTS) * np.exp(0.05 * rng.standard_t(4, len(rows)))  # noqa: B023, E731
        model, truth = Additive(False).fit(learnt, draw(learnt)), draw(others)
        for coverage, shares in inside.items():
            found = model.predict(others, coverage=coverage)
            shares.append(float(np.mean((truth >= found.low) & (truth <= found.high))))
    assert 0.87 < np.mean(inside[0.9]) < 0.96
    assert 0.46 < np.mean(inside[0.5]) < 0.58


def test_what_networks_share_beyond_the_sum_is_learnt_from_details() -> None:
    """An operator that is slow beside another: no sum knows."""
    learnt, others = counts(80, 0), counts(200, 1)

    def measured(rows: Floats) -> Floats:
        return (3 + rows @ COSTS) * np.where(rows[:, 0] > 6, 1.4, 1.0)

    stack = Stack().fit(learnt, measured(learnt))
    additive = Additive().fit(learnt, measured(learnt))
    assert stack.residual != "none"
    errors = [mape(measured(others), model.predict(others).mean) for model in (stack, additive)]
    assert errors[0] < 0.7 * errors[1]


def test_beyond_a_sum_there_is_nothing_but_noise_and_from_few_nothing_is_looked_for() -> None:
    learnt = counts(80, 0)
    noisy = (3 + learnt @ COSTS) * np.exp(np.random.default_rng(1).normal(0, 0.05, 80))
    assert Stack().fit(learnt, noisy).residual == "none"
    stepped = np.where(learnt[:, 0] > 6, 1.4, 1.0) * noisy
    assert Stack().fit(learnt[:49], stepped[:49]).residual == "none"
