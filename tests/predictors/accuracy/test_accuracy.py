"""Known answers of every predictor of accuracy, and what all of them refuse."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau

from predictors.accuracy import DEFAULT, AccuracyPredictor, accuracy_predictor, accuracy_predictor_names
from search_spaces.core.errors import WrongUse

Floats = NDArray[np.float64]


def smooth(features: Floats) -> Floats:
    """An accuracy that two of three features decide, one of them much more than the other."""
    accuracy: Floats = 0.8 + 0.1 * np.sin(features[:, 0]) - 0.02 * features[:, 1] ** 2
    return accuracy


def drawn(n: int, seed: int) -> Floats:
    return np.random.default_rng(seed).uniform(-1.5, 1.5, (n, 3))


@pytest.fixture(params=accuracy_predictor_names())
def predictor(request: pytest.FixtureRequest) -> AccuracyPredictor:
    return accuracy_predictor(request.param)


def test_names() -> None:
    names = accuracy_predictor_names()
    assert {"extra_trees", "gaussian_process", "mlp_ensemble", "random_forest", "ridge"} <= set(names)
    assert accuracy_predictor().name == DEFAULT
    assert all(accuracy_predictor(name).name == name for name in accuracy_predictor_names())
    with pytest.raises(WrongUse, match="did you mean 'gaussian_process'"):
        accuracy_predictor("gausian_process")


def test_names_and_assembly_load_no_scikit_learn(run_python: Callable[[str], str]) -> None:
    code = "import sys, nas.assembly, predictors.accuracy as a; print([*map(a.accuracy_predictor, %s)] and %s)"
    names, loaded = "a.accuracy_predictor_names()", "'sklearn' in sys.modules"
    assert run_python(code % (names, loaded)).strip() == "False"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("gaussian_process", 1e-3),
        ("extra_trees", 2e-2),
        ("linear_matern", 2e-3),
        ("boosted_trees", 2e-2),
        ("random_forest", 3e-2),
        ("mlp_ensemble", 5e-3),
    ],
)
def test_a_smooth_function_is_recovered(name: str, error: float) -> None:
    learnt, others = drawn(80, 0), drawn(200, 1)
    found = accuracy_predictor(name).fit(learnt, smooth(learnt)).predict(others)
    assert np.sqrt(np.mean((found.mean - smooth(others)) ** 2)) < error
    assert kendalltau(found.mean, smooth(others)).statistic > 0.9 - error * 5


@pytest.mark.parametrize("name", ["gaussian_process", "linear_matern"])
def test_noise_is_found(name: str) -> None:
    """Deviations of what a measurement would give: those of the noise, where the function itself is known well."""
    learnt, noise = drawn(150, 0), 0.01
    accuracy = smooth(learnt) + np.random.default_rng(2).normal(0, noise, len(learnt))
    found = accuracy_predictor(name).fit(learnt, accuracy).predict(drawn(50, 1) / 2)
    assert np.median(found.std) == pytest.approx(noise, rel=0.25)


def test_away_from_what_was_measured_the_process_is_less_certain() -> None:
    line = np.linspace(0, 1, 12)[:, None]
    found = accuracy_predictor("gaussian_process").fit(line, 0.7 + 0.1 * np.sin(6 * line[:, 0]))
    std = found.predict(np.array([[0.5], [1.5], [2.5], [4.0]])).std
    assert (np.diff(std) > 0).all()
    assert std[0] < 1e-3


def test_units_of_features_and_features_that_all_share_do_not_count(predictor: AccuracyPredictor) -> None:
    learnt, others = drawn(40, 0), drawn(20, 1)
    plain = predictor.fit(learnt, smooth(learnt)).predict(others)

    def told_otherwise(features: Floats) -> Floats:
        return np.column_stack([np.full(len(features), 0.1), features * [1e9, 1e-6, 1.0] + [0.0, 3.0, 0.0]])

    again = type(predictor)().fit(told_otherwise(learnt), smooth(learnt)).predict(told_otherwise(others))
    assert again.mean == pytest.approx(plain.mean, abs=2e-3)
    assert (again.std >= 0).all()


def test_the_same_data_give_the_same_predictor(predictor: AccuracyPredictor) -> None:
    learnt, others = drawn(30, 0), drawn(10, 1)
    first = predictor.fit(learnt, smooth(learnt)).predict(others)
    second = type(predictor)().fit(learnt, smooth(learnt)).predict(others)
    assert (first.mean == second.mean).all()
    assert (first.std == second.std).all()


def test_ties_and_repeated_networks_are_learnt_from(predictor: AccuracyPredictor) -> None:
    rows = np.repeat(np.arange(5.0), 3)[:, None]
    found = predictor.fit(rows, np.repeat([0.5, 0.5, 0.6, 0.7, 0.7], 3)).predict(rows)
    smooth_ones = {"ridge": 0.05, "mlp_ensemble": 0.03, "boosted_trees": 0.02}
    assert found.mean[::3] == pytest.approx([0.5, 0.5, 0.6, 0.7, 0.7], abs=smooth_ones.get(predictor.name, 0.01))


def test_what_was_not_measured_is_left_out(predictor: AccuracyPredictor) -> None:
    learnt, others = drawn(30, 0), drawn(10, 1)
    accuracy = smooth(learnt)
    without = predictor.fit(learnt[5:], accuracy[5:]).predict(others)
    accuracy[:5] = np.nan
    assert (type(predictor)().fit(learnt, accuracy).predict(others).mean == without.mean).all()


def test_five_networks_are_enough_and_none_may_be_asked(predictor: AccuracyPredictor) -> None:
    line = np.arange(5.0)[:, None]
    predictor.fit(line, 0.5 + line[:, 0] / 100)
    assert predictor.predict([[0.5], [3.5]]).mean[0] < predictor.predict([[0.5], [3.5]]).mean[1]
    assert predictor.predict(np.empty((0, 1))).mean.shape == (0,)


FIVE = np.arange(5.0)[:, None]
RISING = [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("features", "accuracy", "said"),
    [
        (FIVE[:4], RISING[:4], "at least 5 measured networks, got 4; measure more"),
        (FIVE, [np.nan, *RISING[1:]], "at least 5 measured networks, got 4; measure more"),
        (np.empty((0, 3)), [], "at least 5 measured networks, got 0"),
        (FIVE, [0.5] * 5, "all 5 measured networks have the accuracy 0.5"),
        (FIVE, [81.9, *RISING[1:]], "fraction from 0 to 1, got 81.9; divide percentages by 100"),
        (FIVE, [np.inf, *RISING[1:]], "fraction from 0 to 1, got inf"),
        (np.ones((5, 2)), RISING, "the same 2 features; measure others"),
        (np.empty((5, 0)), RISING, "the same 0 features"),
        (np.where(FIVE == 3, np.nan, FIVE), RISING, "feature 0 of network 3 is nan"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(
    predictor: AccuracyPredictor, features: Floats, accuracy: list[float], said: str
) -> None:
    with pytest.raises(WrongUse, match=said):
        predictor.fit(features, accuracy)


def test_misuse(predictor: AccuracyPredictor) -> None:
    with pytest.raises(ValueError, match="has learnt nothing yet; call fit first"):
        predictor.predict(FIVE)
    with pytest.raises(ValueError, match="accuracy for each of 5 networks"):
        predictor.fit(FIVE, RISING[1:])
    with pytest.raises(ValueError, match=r"shape \(networks, features\), got \(5,\)"):
        predictor.fit(FIVE[:, 0], RISING)
    predictor.fit(FIVE, RISING)
    with pytest.raises(ValueError, match="expected 1 features, as learnt from, got 2"):
        predictor.predict(np.ones((3, 2)))
    with pytest.raises(WrongUse, match="feature 0 of network 1 is inf"):
        predictor.predict([[0.0], [np.inf]])
