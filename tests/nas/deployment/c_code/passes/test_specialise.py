"""One function for all operators that share a kernel."""

import pytest

from nas.deployment.c_code import program as c
from nas.deployment.c_code.passes.specialise import function_of, specialise
from nas.deployment.c_code.program import Bounded, Map, Program, Window
from tests.nas.deployment.c_code.passes.operators import ADDITION, FIRST, PICTURE, SECOND, convolution, weights


def test_equal_forms_share_a_function() -> None:
    program = Program((convolution(), convolution(FIRST, SECOND)), PICTURE, SECOND)
    one, other = specialise(program, frozenset())
    assert one == other
    assert one.name == "pointwise"


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"addition": ADDITION}, "pointwise_add"),
        ({"weights": weights(bits=4)}, "pointwise_w4"),
        ({"weights": weights(most=100)}, "pointwise_bounded"),
        ({"weights": weights(shift=0)}, "pointwise_left"),
        ({"kernel": 3}, "convolution_3x3_s1_of4"),
        ({"groups": 2}, "convolution_1x1_s1_groups2"),
    ],
)
def test_what_differs_has_its_own(more: dict[str, object], name: str) -> None:
    found = function_of(convolution(**more), in_place=False)  # type: ignore[arg-type]
    assert found.name == name
    assert found != function_of(convolution(), in_place=False)


def test_a_depthwise_convolution_in_place_has_a_plane() -> None:
    window = Window((3, 3), (2, 2), 1, 1)
    each = c.Depthwise(name="x", inputs=(PICTURE,), output=Map("x", 4, 4, 4), window=window, weights=weights())
    assert function_of(each, in_place=True).name == "depthwise_in_place_3x3_s2"
    assert dict(function_of(each, in_place=False).literals)["plane"] == "NULL"


def test_poolings_are_told_apart() -> None:
    known = {"name": "x", "inputs": (PICTURE,), "output": FIRST, "window": Window((2, 2), (2, 2), 0, 0)}
    largest, mean = (c.Pool(**known, largest=each, bounds=Bounded(0, -128, 127)) for each in (True, False))  # type: ignore[arg-type]
    assert (function_of(largest, False).kernel, function_of(mean, False).kernel) == ("nn_max_pool", "nn_average_pool")
