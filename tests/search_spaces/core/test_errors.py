import pytest

from search_spaces.core.errors import FitnasError, Infeasible, NotFound, Refused, WrongUse, did_you_mean, shown, unknown

METRICS = ["accuracy", "macs", "params", "sram", "flash"]


@pytest.mark.parametrize(
    ("error", "code"), [(FitnasError, 1), (WrongUse, 2), (Infeasible, 3), (NotFound, 4), (Refused, 1)]
)
def test_exit_codes(error: type[FitnasError], code: int) -> None:
    assert error("x").exit_code == code
    assert issubclass(error, FitnasError)


@pytest.mark.parametrize(
    ("word", "near"),
    [("ram", "sram"), ("SRAM", "sram"), ("peak_sram_bytes", "sram"), ("acuracy", "accuracy"), ("zzz", ""), ("", "")],
)
def test_hints(word: str, near: str) -> None:
    assert did_you_mean(word, METRICS) == (f"; did you mean '{near}'?" if near else "")
    assert did_you_mean(word, []) == ""


def test_messages_stay_short_and_printable() -> None:
    assert shown("a\0b\n") == "'a\\x00b\\n'"
    message = unknown("space", "x" * 10_000, ["mcunetv2"])
    assert len(message) < 150
    assert "(10,000 characters)" in message
    assert message.endswith("Known: mcunetv2")
