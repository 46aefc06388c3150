import pytest

from search_spaces.core.choice import Choice, Option, misfits


def test_index_of_an_option() -> None:
    choice = Choice("width", (0.5, 0.75, 1.0))
    assert [choice.index(option) for option in (0.5, 1.0)] == [0, 2]
    with pytest.raises(ValueError, match=r"'0.6' is not an option of 'width': it knows 0.5, 0.75, 1.0"):
        choice.index(0.6)


@pytest.mark.parametrize("options", [(), (3, 3), (1, 1.0)])
def test_options_are_some_and_different(options: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="all different"):
        Choice("kernel", options)


@pytest.mark.parametrize(
    ("options", "asked", "nearest"),
    [
        ((3.5, 4.0), 3.0, 3.5),
        ((3.5, 4.0), 9, 4.0),
        ((2, 4), 3, 2),
        (("sine", "learned"), "lerned", "learned"),
        (("sine", "learned"), "zzz", None),
        (("sine", "learned"), 3, None),
        ((3, 5), "five", None),
    ],
)
def test_the_nearest_option(options: tuple[Option, ...], asked: Option, nearest: Option | None) -> None:
    choice = Choice("x", options)
    assert choice.nearest(asked) == nearest
    with pytest.raises(ValueError, match="is not an option") as error:
        choice.index(asked)
    assert str(error.value).endswith(f"; nearest: {nearest}") == (nearest is not None)


def test_misfits_are_told_one_by_one() -> None:
    choices = (Choice("heads", (3, 4)), Choice("ratio", (3.5, 4.0)))
    assert misfits(choices, {"heads": 4, "ratio": 4.0, "unknown": 1}) == []
    assert misfits(choices, {"heads": 8, "ratio": 3.0}) == [
        "'8' is not an option of 'heads': it knows 3, 4; nearest: 4",
        "'3.0' is not an option of 'ratio': it knows 3.5, 4.0; nearest: 3.5",
    ]
