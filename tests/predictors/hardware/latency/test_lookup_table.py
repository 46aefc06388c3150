"""Tables of operators: summed, calibrated, refused."""

import numpy as np
import pytest

from predictors.hardware.latency.lookup_table import LookupTable
from search_spaces.core.errors import WrongUse

COLUMNS = ("conv 3x3", "skip")


@pytest.fixture
def table() -> LookupTable:
    return LookupTable({"conv 3x3": 1.5, "skip": 0.0, "pool": 7.0}, constant=2.0)


def test_times_are_summed(table: LookupTable) -> None:
    found = table.predict([[2, 1], [0, 4]], COLUMNS)
    assert found.mean.tolist() == [5, 2]
    assert found.low.tolist() == [0, 0]
    assert np.isinf(found.high).all()


def test_whole_networks_give_the_factor_and_the_interval(table: LookupTable) -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (400, 2))
    measured = 1.3 * (2 + 1.5 * counts[:, 0]) * np.exp(rng.normal(0, 0.05, 400))
    found = table.calibrate(counts[:60], COLUMNS, measured[:60]).predict(counts[60:], COLUMNS)
    assert found.mean == pytest.approx(1.3 * (2 + 1.5 * counts[60:, 0]), rel=0.03)
    inside = np.mean((measured[60:] >= found.low) & (measured[60:] <= found.high))
    assert 0.85 < inside < 0.97


def test_an_operator_that_is_not_there_is_named(table: LookupTable) -> None:
    with pytest.raises(WrongUse, match=r"no time for the operator 'conv 3x4' of network 1.*did you mean 'conv 3x3'"):
        table.predict([[0, 1], [1, 1]], ("conv 3x4", "skip"))
    assert table.predict([[0, 1]], ("conv 3x4", "skip")).mean.tolist() == [2]
    with pytest.raises(WrongUse, match="feature 'skip' of network 0 is -1"):
        table.predict([[0, -1]], COLUMNS)


def test_one_network_gives_a_factor_and_no_interval(table: LookupTable) -> None:
    found = table.calibrate([[2, 1]], COLUMNS, [10]).predict([[2, 1]], COLUMNS)
    assert (found.mean.tolist(), found.low.tolist(), found.high.tolist()) == ([10], [0], [np.inf])


def test_each_network_is_compared_with_the_factor_of_the_others(table: LookupTable) -> None:
    calibrated = table.calibrate([[2, 0], [2, 0], [2, 0]], COLUMNS, [5, 5, 10])
    assert calibrated.factor == 1
    assert np.exp(calibrated.ratios) == pytest.approx([5 / 7.5, 5 / 7.5, 2])


def test_networks_of_which_nothing_is_known(table: LookupTable) -> None:
    columns = (*COLUMNS, "conv 5x5")
    assert table.knows([[1, 0, 0], [1, 0, 2]], columns).tolist() == [True, False]
    assert LookupTable({"skip": 0.0}).knows([[3]], ("skip",)).tolist() == [False]
