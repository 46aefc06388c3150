import pytest

from search_spaces.core.choice import Choice


def test_index_of_an_option() -> None:
    choice = Choice("width", (0.5, 0.75, 1.0))
    assert [choice.index(option) for option in (0.5, 1.0)] == [0, 2]
    with pytest.raises(ValueError, match=r"'0.6' is not an option of 'width': it knows 0.5, 0.75, 1.0"):
        choice.index(0.6)


@pytest.mark.parametrize("options", [(), (3, 3), (1, 1.0)])
def test_options_are_some_and_different(options: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="all different"):
        Choice("kernel", options)
