import numpy as np
import pytest

from nas.service.live.seen import to_cursor, unseen
from search_spaces.core.errors import WrongUse


@pytest.mark.parametrize(
    ("numbers", "cursor"),
    [([], ""), ([0], "0"), ([0, 1, 2], "0-2"), ([0, 1, 4, 7, 8, 9], "0-1,4,7-9"), ([5], "5")],
)
def test_a_cursor_is_runs_of_numbers(numbers, cursor):
    assert to_cursor(np.asarray(numbers, dtype=np.int64)) == cursor


def test_what_a_cursor_holds_is_not_told_again():
    rng = np.random.default_rng(0)
    everyone = np.arange(500)
    for _ in range(50):
        known = np.sort(rng.choice(500, rng.integers(0, 500), replace=False))
        told = everyone[unseen(to_cursor(known)[:4000], everyone)] if len(to_cursor(known)) <= 4000 else None
        if told is not None:
            assert told.tolist() == sorted(set(range(500)) - set(known.tolist()))


def test_numbers_that_do_not_exist_are_no_harm():
    assert unseen("3-900", np.asarray([1, 2, 1000])).tolist() == [0, 1, 2]


@pytest.mark.parametrize("text", ["x", "1-", "-1", "1,,2", "1.5", "0-3 ", "9" * 10, "1," * 3000 + "1"])
def test_another_text_is_no_cursor(text):
    with pytest.raises(WrongUse, match="no cursor"):
        unseen(text, np.arange(3))
