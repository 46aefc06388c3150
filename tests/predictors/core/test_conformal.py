"""Folds that keep groups together, and intervals that hold what they say."""

import numpy as np
import pytest

from predictors.core.conformal import cross_conformal, grouped_folds


def test_folds_are_even_and_keep_groups() -> None:
    groups = np.repeat(np.arange(20), 3)
    folds = grouped_folds(groups, 5, seed=0)
    assert np.bincount(folds).tolist() == [12] * 5
    assert all(len(set(folds[groups == group])) == 1 for group in range(20))
    assert (grouped_folds(groups, 5, seed=0) == folds).all()
    assert (grouped_folds(groups, 5, seed=1) != folds).any()


def test_no_more_folds_than_groups() -> None:
    assert sorted(set(grouped_folds(np.array([0, 0, 1, 2]), 10, seed=0))) == [0, 1, 2]


def test_with_one_model_the_interval_is_a_rank_of_the_residuals() -> None:
    residuals = np.arange(1.0, 20)  # 19: the 18th smallest of them at 90 %
    low, high = cross_conformal(np.array([[100.0, 0.0]]), np.zeros(19, dtype=int), residuals, 0.9)
    assert low.tolist() == [82, -18]
    assert high.tolist() == [118, 18]


def test_too_few_residuals_say_nothing() -> None:
    answers, folds = np.array([[1.0]]), np.zeros(9, dtype=int)
    assert np.isinf(cross_conformal(answers, folds[:8], np.ones(8), 0.9)).all()
    assert np.isfinite(cross_conformal(answers, folds, np.ones(9), 0.9)).all()
    with pytest.raises(ValueError, match="coverage between 0 and 1, got 1"):
        cross_conformal(answers, folds, np.ones(9), 1.0)
