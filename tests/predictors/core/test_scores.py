"""Scores against SciPy's, and what has no score."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from predictors.core.scores import kendall, mape, relative_errors, rmspe, spearman, within


@pytest.mark.parametrize("distinct", [2, 5, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_orders_with_and_without_ties_are_those_of_scipy(distinct: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, distinct, 200)
    second = first + rng.integers(0, distinct, 200)
    assert kendall(first, second) == pytest.approx(kendalltau(first, second).statistic, abs=1e-12)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
    assert kendall(first, -second) == pytest.approx(-kendall(first, second), abs=1e-12)


def test_relative_errors() -> None:
    measured, predicted = [10.0, 20.0, 40.0, 100.0], [10.5, 18.0, 40.0, 150.0]
    assert relative_errors(measured, predicted).tolist() == pytest.approx([0.05, -0.1, 0, 0.5])
    assert rmspe(measured, predicted) == pytest.approx(math.sqrt((0.05**2 + 0.1**2 + 0.5**2) / 4))
    assert mape(measured, predicted) == pytest.approx(0.65 / 4)
    assert [within(measured, predicted, share) for share in (0.049, 0.0501, 0.1001)] == [0.25, 0.5, 0.75]


@pytest.mark.parametrize("score", [kendall, spearman, rmspe, mape, lambda a, b: within(a, b, 0.1)])
def test_nothing_has_no_score(score) -> None:
    assert math.isnan(score([], []))


@pytest.mark.parametrize("score", [kendall, spearman])
def test_what_does_not_vary_has_no_order(score) -> None:
    assert math.isnan(score([1.0, 1.0], [1.0, 2.0]))
    assert math.isnan(score([1.0], [1.0]))


@pytest.mark.parametrize("score", [kendall, spearman, rmspe, mape])
def test_what_is_no_number_is_refused(score) -> None:
    with pytest.raises(ValueError, match="pair 1 is 2 and nan"):
        score([1.0, 2.0], [1.0, np.nan])
    with pytest.raises(ValueError, match=r"one shape \(n,\), got \(2,\) and \(1,\)"):
        score([1.0, 2.0], [1.0])


def test_a_relative_error_needs_positive_figures() -> None:
    with pytest.raises(ValueError, match="value 1 is 0"):
        mape([1.0, 0.0], [1.0, 1.0])
