"""An addition becomes part of the convolution that the plan lets write onto what is added."""

import pytest

from nas.deployment.c_code import program as c
from nas.deployment.c_code.passes.fuse_additions import fuse_additions
from nas.deployment.c_code.passes.plan_memory import Arena
from nas.deployment.c_code.program import Map, Program
from search_spaces.core.errors import FitnasError
from tests.nas.deployment.c_code.passes.operators import ADDITION, FIRST, FLIPPED, PICTURE, SECOND, convolution

TOTAL = Map("total", 8, 8, 4)
ADD = c.Add(name="total", inputs=(SECOND, FIRST), output=TOTAL, addition=ADDITION)


def planned(**aliases: str) -> Arena:
    return Arena({"first": 0, "second": 256, "total": 0}, aliases, 512, 1, -1)


def test_they_are_joined_where_the_plan_says_so() -> None:
    program = Program((convolution(), convolution(FIRST, SECOND), ADD), PICTURE, TOTAL)
    first, joined = fuse_additions(program, planned(second="first", total="first")).operators
    assert isinstance(joined, c.Convolution)
    assert first == program.operators[0]
    assert (joined.name, joined.inputs, joined.output, joined.addition) == ("total", (FIRST, FIRST), TOTAL, ADDITION)


def test_they_stay_apart_where_it_does_not() -> None:
    program = Program((convolution(), convolution(FIRST, SECOND), ADD), PICTURE, TOTAL)
    assert fuse_additions(program, planned(total="first")) == program


def test_what_has_a_table_in_between_cannot_be_joined() -> None:
    between = convolution(FIRST, SECOND, lookups=(FLIPPED,))
    with pytest.raises(FitnasError, match="cannot add first"):
        fuse_additions(Program((convolution(), between, ADD), PICTURE, TOTAL), planned(second="first"))
