import numpy as np
import pytest

from nas.core.objective import keys_of, oriented_table, parse_objectives
from search_spaces.core.errors import WrongUse


def test_objectives_keep_their_order_and_direction() -> None:
    accuracy, macs = parse_objectives("accuracy, macs")
    assert (accuracy.key, accuracy.column, accuracy.minimise) == ("accuracy", "top1", False)
    assert (macs.key, macs.column, macs.minimise) == ("macs", "macs", True)
    assert keys_of((accuracy, macs)) == "accuracy,macs"
    assert parse_objectives("sram,flash,params,macs,accuracy")[0].column == "peak_sram_bytes"


def test_oriented_values_are_to_be_minimised() -> None:
    objectives = parse_objectives("accuracy,macs")
    table = oriented_table([[0.9, 5], [np.nan, 7]], objectives)
    np.testing.assert_array_equal(table, [[-0.9, 5], [np.nan, 7]])
    assert oriented_table([], objectives).shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "commas"),
        ("accuracy,", "commas"),
        ("acuracy,macs", "did you mean 'accuracy'"),
        ("macs,macs", "stands twice"),
        ("accuracy,macs,params,sram,flash,size", "at most 5"),
    ],
)
def test_wrong_objectives_are_explained(text: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        parse_objectives(text)
