"""Functions of one element move into the operator before them."""

import numpy as np
import pytest

from nas.deployment.c_code import program as c
from nas.deployment.c_code.passes.fuse_lookups import fuse_lookups
from nas.deployment.c_code.program import Map, Program
from search_spaces.core.errors import WrongUse
from tests.nas.deployment.c_code.passes.operators import ADDITION, FIRST, FLIPPED, PICTURE, SECOND, convolution, lookup


def test_a_lookup_becomes_part_of_what_makes_its_input() -> None:
    [made] = fuse_lookups(Program((convolution(), lookup()), PICTURE, SECOND)).operators
    assert isinstance(made, c.Convolution)
    assert made.output == SECOND
    assert np.array_equal(made.lookups[0], FLIPPED)


def test_two_in_a_row_are_kept_in_their_order() -> None:
    last = Map("last", 8, 8, 4)
    [made] = fuse_lookups(Program((convolution(), lookup(), lookup(SECOND, last)), PICTURE, last)).operators
    assert (made.output, len(made.lookups)) == (last, 2)


def test_a_tensor_that_others_read_is_not_changed() -> None:
    total = Map("total", 8, 8, 4)
    add = c.Add(name="total", inputs=(SECOND, FIRST), output=total, addition=ADDITION)
    with pytest.raises(WrongUse, match="read by others too"):
        fuse_lookups(Program((convolution(), lookup(), add), PICTURE, total))
    with pytest.raises(WrongUse, match="in place by a table"):
        fuse_lookups(Program((lookup(PICTURE, FIRST),), PICTURE, FIRST))
