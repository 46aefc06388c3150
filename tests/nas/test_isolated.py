"""Functions called in processes of their own, with limits."""

import time

import pytest

from nas import isolated
from search_spaces.core.errors import FitnasError, WrongUse

CALLS = "tests.nas.isolated_calls"


def test_answers_are_json_values() -> None:
    assert isolated.call("json", "loads", '{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


def test_wrong_use_comes_through_in_its_own_words() -> None:
    with pytest.raises(WrongUse, match=r"^unknown runtime 'tlfm'; did you mean 'tflm'[?]"):
        isolated.call("predictors.hardware.memory", "memory_rule", "tlfm")


def test_any_other_error_is_told_by_its_last_line() -> None:
    with pytest.raises(FitnasError, match=r"^reading failed: json\.decoder\.JSONDecodeError") as told:
        isolated.call("json", "loads", "{")
    assert not isinstance(told.value, WrongUse)


def test_time_is_limited() -> None:
    start = time.monotonic()
    with pytest.raises(WrongUse, match="more than 1 s and was stopped"):
        isolated.call(CALLS, "wait", "20", seconds=1)
    assert time.monotonic() - start < 10


def test_memory_is_limited() -> None:
    assert isolated.call(CALLS, "fill", "100", memory_bytes=512 << 20) == 100 << 20
    with pytest.raises(WrongUse, match="more than 512 MiB"):
        isolated.call(CALLS, "fill", "600", memory_bytes=512 << 20)


def test_a_dying_process_is_the_files_doing() -> None:
    with pytest.raises(WrongUse, match="signal 11"):
        isolated.call(CALLS, "die")


def test_answers_without_end_are_refused() -> None:
    with pytest.raises(WrongUse, match="more than 64 MiB of text"):
        isolated.call(CALLS, "talk", "65")
