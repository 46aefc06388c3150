"""What holds of every model of latency, found by file name, and what all of them refuse."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from predictors.core.scores import kendall
from predictors.hardware.latency import DEFAULT, LatencyPredictor, latency_predictor, latency_predictor_names
from search_spaces.core.errors import WrongUse

Floats = NDArray[np.float64]
COSTS = np.array([0.5, 2.0, 0.1])
NAMES = ("conv", "depthwise", "add")


def drawn(n: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Counts of three operators, what tells networks apart beside, and milliseconds: a sum with noise of 2 %."""
    rng = np.random.default_rng(seed)
    counts, details = rng.integers(0, 12, (n, 3)).astype(float), rng.normal(size=(n, 2))
    return counts, (3 + counts @ COSTS) * np.exp(rng.normal(0, 0.02, n)), details


@pytest.fixture(params=latency_predictor_names())
def predictor(request: pytest.FixtureRequest) -> LatencyPredictor:
    return latency_predictor(request.param)


def test_names() -> None:
    assert {"additive", "boosted_trees", "gaussian_process", "mlp", "ridge", "stack"} == set(latency_predictor_names())
    assert latency_predictor().name == DEFAULT == "stack"
    assert all(latency_predictor(name).name == name for name in latency_predictor_names())
    with pytest.raises(WrongUse, match="did you mean 'additive'"):
        latency_predictor("aditive")


def test_names_load_no_scikit_learn(run_python: Callable[[str], str]) -> None:
    code = "import sys, predictors.hardware.latency as a; [*map(a.latency_predictor, a.latency_predictor_names())]; "
    assert run_python(code + "print('sklearn' in sys.modules)").strip() == "False"


def test_it_learns_orders_and_flags(predictor: LatencyPredictor) -> None:
    counts, measured, details = drawn(40, 0)
    others, truth, finer = drawn(60, 1)
    found = predictor.fit(counts, measured, details).predict(others, finer)
    assert kendall(truth, found.mean) > 0.6
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    assert (found.low > 0).all()
    assert np.isfinite(found.high).all()
    inside = ((others >= counts.min(0)) & (others <= counts.max(0))).all(1)
    inside &= ((finer >= details.min(0)) & (finer <= details.max(0))).all(1)
    assert (found.extrapolated == ~inside).all()
    assert found.extrapolated.any()
    assert not found.extrapolated.all()


def test_same_data_same_predictor(predictor: LatencyPredictor) -> None:
    counts, measured, details = drawn(30, 0)
    first = predictor.fit(counts, measured, details).predict(counts, details)
    other = type(predictor)().fit(*drawn(60, 1)[:2])
    for again in (type(predictor)(), other):
        found = again.fit(counts, measured, details).predict(counts, details)
        for name in ("mean", "low", "high"):
            assert (getattr(first, name) == getattr(found, name)).all(), name


def test_the_unit_does_not_count(predictor: LatencyPredictor) -> None:
    counts, measured, _ = drawn(30, 0)
    first = predictor.fit(counts, measured).predict(counts)
    again = type(predictor)().fit(counts, measured * 1e-3).predict(counts)
    assert again.mean == pytest.approx(first.mean * 1e-3, rel=0.01)


def test_far_away_figures_stay_positive_and_finite(predictor: LatencyPredictor) -> None:
    counts, measured, details = drawn(30, 0)
    found = predictor.fit(counts, measured, details).predict(counts * 20, details * 20)
    assert (found.mean > 0).all()
    assert np.isfinite(found.mean).all()
    assert found.extrapolated.any()


def test_none_may_be_asked(predictor: LatencyPredictor) -> None:
    counts, measured, _ = drawn(12, 0)
    found = predictor.fit(counts, measured).predict(np.empty((0, 3)))
    assert [part.shape for part in (found.mean, found.low, found.high, found.extrapolated)] == [(0,)] * 4


SIX, RISING = np.arange(1.0, 7)[:, None], np.arange(2.0, 8)


@pytest.mark.parametrize(
    ("features", "measured", "said"),
    [
        (np.where(SIX == 3, -1, SIX), RISING, "feature 'conv' of network 2 is -1"),
        (np.where(SIX == 3, np.nan, SIX), RISING, "feature 'conv' of network 2 is nan"),
        (SIX, np.where(RISING == 4, 0, RISING), "that of network 2 is 0 "),
        (SIX, np.where(RISING == 4, -3, RISING), "that of network 2 is -3 "),
        (SIX, np.where(RISING == 4, np.nan, RISING), "that of network 2 is nan"),
        (SIX, np.where(RISING == 4, np.inf, RISING), "that of network 2 is inf"),
        (SIX[:4], RISING[:4], "at least 5 measured networks, got 4"),
        (SIX[:0], RISING[:0], "at least 5 measured networks, got 0"),
        (SIX, np.full(6, 3.0), "all 6 networks were measured as 3"),
        (np.ones((6, 1)), RISING, "the same 1 features"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(
    predictor: LatencyPredictor, features: Floats, measured: Floats, said: str
) -> None:
    with pytest.raises(WrongUse, match=said):
        predictor.fit(features, measured, columns=["conv"])


def test_misuse(predictor: LatencyPredictor) -> None:
    counts, measured, details = drawn(12, 0)
    with pytest.raises(ValueError, match="has learnt nothing yet; call fit first"):
        predictor.predict(counts)
    with pytest.raises(ValueError, match="figure of each of 12 networks"):
        predictor.fit(counts, measured[1:])
    with pytest.raises(ValueError, match="details of 12 networks, got 11"):
        predictor.fit(counts, measured, details[1:])
    with pytest.raises(WrongUse, match="detail 1 of network 0 is nan"):
        predictor.fit(counts, measured, details * [1, np.nan])
    with pytest.raises(ValueError, match="expected 2 features, one a column's name, got 3"):
        predictor.fit(counts, measured, columns=["a", "b"])
    predictor.fit(counts, measured, details, NAMES)
    with pytest.raises(ValueError, match="12 networks of 2 details, as learnt from, got"):
        predictor.predict(counts)
    with pytest.raises(WrongUse, match="feature 'add' of network 0 is -"):
        predictor.predict(counts * [1, 1, -1] - [0, 0, 1], details)
