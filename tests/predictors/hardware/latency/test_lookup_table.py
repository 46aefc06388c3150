"""Tables of operators: read, summed, calibrated, refused."""

from pathlib import Path

import numpy as np
import pytest

from predictors.hardware.latency.lookup_table import LookupTable
from search_spaces.core.errors import NotFound, WrongUse

HEAD = "operator,milliseconds\n"
COLUMNS = ("conv 3x3", "skip")


@pytest.fixture
def table(tmp_path: Path) -> LookupTable:
    path = tmp_path / "table.csv"
    path.write_text(HEAD + "conv 3x3,1.5\nskip,0\nconstant,2\npool,7\n")
    return LookupTable.read(path)


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("operator,ms\nconv,1\n", "no column 'milliseconds' among 'operator', 'ms'"),
        (HEAD + "conv,fast\n", "line 2, column milliseconds: expected a number of 0 or more, got 'fast'"),
        (HEAD + "conv,1\nadd,-1\n", "line 3, column milliseconds: .*got '-1'"),
        (HEAD + "conv,nan\n", "line 2, column milliseconds: .*got 'nan'"),
        (HEAD + "conv\n", "line 2, column milliseconds: .*got ''"),
        (HEAD + "conv,1\nconv,2\n", "line 3: an operator has one row and a name, got 'conv' again"),
        (HEAD + ",1\n", "line 2: an operator has one row and a name"),
        (HEAD, "no operators"),
        (HEAD + "constant,2\n", "no operators"),
        ("", "no column 'operator'"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(WrongUse, match=said):
        LookupTable.read(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="expected a CSV with the columns operator,milliseconds"):
        LookupTable.read(tmp_path / "none.csv")
