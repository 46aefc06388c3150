import pytest

from nas.core.names import checked_run_name
from search_spaces.core.errors import WrongUse, shown


@pytest.mark.parametrize("name", ["a", "0", "signs", "mcunetv2-001", "a.b_c-d", "a" * 64])
def test_valid_names_are_returned(name: str) -> None:
    assert checked_run_name(name) == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("../evil", "try 'evil'"),
        ("..", "try for example"),
        ("", "try for example"),
        ("a/b", "try 'a-b'"),
        ("a\0b", "try 'a-b'"),
        ("Signs V2", "try 'signs-v2'"),
        ("-x", "try 'x'"),
        ("signs\n", "try 'signs'"),
        ("ünsign", "try 'nsign'"),
        ("a" * 65, "try '" + "a" * 64 + "'"),
    ],
)
def test_others_are_refused_with_the_rule_and_the_nearest_name(name: str, hint: str) -> None:
    with pytest.raises(WrongUse) as caught:
        checked_run_name(name)
    assert hint in str(caught.value)
    assert "[a-z0-9][a-z0-9._-]{0,63}" in str(caught.value)


def test_a_long_name_is_cut_in_the_message_and_a_nul_escaped() -> None:
    with pytest.raises(WrongUse) as caught:
        checked_run_name("\0" + "x" * 9_999)
    message = str(caught.value)
    assert "(10,000 characters)" in message
    assert "\0" not in message
    assert "x" * 65 not in message
    assert shown("x" * 61) == repr("x" * 60) + "... (61 characters)"
