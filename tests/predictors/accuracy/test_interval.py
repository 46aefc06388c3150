"""Accuracy with an interval: what is held, by how many, and where nothing can be said."""

import numpy as np
import pytest

from predictors.accuracy.interval import COVERAGE, IntervalPredictor
from search_spaces.core.errors import WrongUse


def networks(count, seed, noise=0.02):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 4))
    return features, 0.6 + 0.05 * features[:, 0] + noise * rng.standard_normal(count)


def test_intervals_hold_what_they_say_and_follow_the_noise():
    for noise in (0.005, 0.03):
        model = IntervalPredictor("ridge").fit(*networks(200, 0, noise))
        asked, truth = networks(2000, 1, noise)
        mean, low, high = model.predict(asked)
        assert abs(np.mean((low <= truth) & (truth <= high)) - COVERAGE) < 0.06
        assert (
            abs(np.mean(np.abs(networks(200, 0, noise)[1] - model.left_out) <= model.left_out_width) - COVERAGE) < 0.06
        )
        assert (low <= mean).all()
        assert (mean <= high).all()
        assert np.median(high - low) == pytest.approx(2 * 1.645 * noise, rel=0.3)


def test_nobody_is_asked_of_a_model_that_knows_its_twin():
    features, accuracy = networks(12, 0)
    twins = IntervalPredictor("random_forest").fit(np.repeat(features, 2, axis=0), np.repeat(accuracy, 2))
    alone = IntervalPredictor("random_forest").fit(features, accuracy)
    known = np.abs(np.repeat(accuracy, 2) - twins.left_out).mean()
    assert known > 0.5 * np.abs(accuracy - alone.left_out).mean()
    assert (twins.left_out[::2] == twins.left_out[1::2]).all()


def test_of_few_networks_no_interval_is_known():
    model = IntervalPredictor("ridge").fit(*networks(8, 0))
    assert np.isinf(model.left_out_width).all()
    mean, low, high = model.predict(networks(3, 1)[0])
    assert np.isfinite(mean).all()
    assert np.isneginf(low).all()
    assert np.isposinf(high).all()
    assert [len(part) for part in model.predict(np.empty((0, 4)))] == [0, 0, 0]


def test_a_fold_without_which_all_are_alike_is_predicted_by_their_mean():
    features, accuracy = networks(7, 0)
    accuracy = np.where(np.arange(7) == 3, 0.9, 0.5)
    model = IntervalPredictor("ridge").fit(features, accuracy)
    assert model.left_out[3] == 0.5


def test_what_is_too_little_to_judge_is_refused():
    with pytest.raises(WrongUse, match="at least 7 measured networks, got 6"):
        IntervalPredictor().fit(*networks(6, 0))
    with pytest.raises(WrongUse, match="none can be told from another"):
        IntervalPredictor().fit(networks(9, 0)[0], np.full(9, 0.5))
