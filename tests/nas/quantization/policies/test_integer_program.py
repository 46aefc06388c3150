"""The integer program against all choices one by one."""

import itertools

import numpy as np
import pytest

from nas.quantization.policies.integer_program import allocate
from search_spaces.core.errors import FitnasError, Infeasible
from tests.nas.quantization.policies.small_tasks import menu, random_menu


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("columns", [["weight_bytes"], ["weight_bytes", "bitops"]])
def test_no_choice_within_the_limits_loses_less(seed: int, columns: list[str]) -> None:
    rng = np.random.default_rng(seed)
    options = random_menu(rng, groups=6, columns=columns, share=0.55)
    losses = rng.random((6, 3)) ** 4
    every = [np.array(choice) for choice in itertools.product(range(3), repeat=6)]
    within = [losses[np.arange(6), choice].sum() for choice in every if options.fits(choice)]
    assert 0 < len(within) < len(every)  # the limits bind
    found = allocate(options, losses)
    assert options.fits(found)
    assert losses[np.arange(6), found].sum() == pytest.approx(min(within), rel=1e-9)


def test_a_limit_that_is_met_exactly_is_met() -> None:
    options = menu(["a", "b"], "w4,int8", {"weight_bytes": [[-300, 0], [-200, 0]]}, {"weight_bytes": 500})
    assert allocate(options, np.array([[9.0, 0.0], [9.0, 0.0]])).tolist() == [0, 0]


def test_large_figures_are_held_to_the_last_unit() -> None:
    """Of 10^12 bit operations the solver's tolerance is a million."""
    prices = [[-(10**12), -2, -1]] * 3
    options = menu(["a", "b", "c"], "w2,w4,int8", {"bitops": prices}, {"bitops": 2 * 10**12 - 5}, base=2 * 10**12)
    assert options.figures(allocate(options, np.array([[9.0, 1.0, 0.0]] * 3)))["bitops"] <= 2 * 10**12 - 5


def test_what_cannot_be_is_told_with_what_can() -> None:
    prices = {"weight_bytes": [[-300, 0], [-200, 0]], "bitops": [[0, -400], [0, -100]]}
    losses = np.zeros((2, 2))
    with pytest.raises(Infeasible, match=r"size <= 400 B .*the smallest is 500 B"):
        allocate(menu(["a", "b"], "w4,int8", prices, {"weight_bytes": 400}), losses)
    limits = {"weight_bytes": 700, "bitops": 700}  # the first as w4, and the first as int8
    with pytest.raises(Infeasible, match="bitops <= 700 with size <= 700: the smallest is 900"):
        allocate(menu(["a", "b"], "w4,int8", prices, limits), losses)


def test_a_loss_that_is_not_finite_is_named() -> None:
    options = menu(["a", "b"], "w4,int8", {"weight_bytes": [[-3, 0], [-2, 0]]}, {"weight_bytes": 999})
    with pytest.raises(FitnasError, match="the loss of b in few bits is not finite"):
        allocate(options, np.array([[1.0, 0.0], [np.nan, 0.0]]))
