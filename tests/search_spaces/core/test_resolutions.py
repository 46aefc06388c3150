import pytest

from search_spaces.core.errors import WrongUse
from search_spaces.core.resolutions import asked_resolutions, default_resolutions, smaller_resolutions

PUBLISHED = (96, 128, 160, 192, 224, 256)


@pytest.mark.parametrize(
    ("short_side", "resolutions"),
    [
        (1000, (96, 128, 160, 192, 224, 256)),
        (224, (96, 128, 160, 192, 224)),
        (160, (96, 128, 160)),
        (150, (72, 96, 128)),  # 1/2, 2/3 and 5/6; the whole, 152, would be above the data
        (96, (48, 64, 80, 96)),
        (64, (32, 40, 56, 64)),
        (32, (16, 24, 32)),
        (28, (16, 24, 32)),
        (8, (16, 24, 32)),
        (1, (16, 24, 32)),
    ],
)
def test_resolutions_follow_the_data(short_side: int, resolutions: tuple[int, ...]) -> None:
    assert default_resolutions(short_side, PUBLISHED) == resolutions


def test_smaller_resolutions_go_down_to_the_smallest() -> None:
    assert smaller_resolutions(96) == (48, 64, 80)
    assert smaller_resolutions(50) == (32, 40, 48)
    assert smaller_resolutions(16) == (8,)
    assert smaller_resolutions(8) == ()


def test_what_is_asked_is_sorted_and_each_once() -> None:
    assert asked_resolutions("64, 48,64") == (48, 64)
    assert asked_resolutions(96) == (96,)


@pytest.mark.parametrize("asked", ["", "96,big", None])
def test_what_is_no_list_of_numbers_is_refused(asked: object) -> None:
    with pytest.raises(WrongUse, match="expected pixels"):
        asked_resolutions(asked)
