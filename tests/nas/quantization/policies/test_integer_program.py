"""The integer program against all choices one by one."""

import itertools
from collections.abc import Callable

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


def test_the_solver_prints_nothing(run_python: Callable[[str], str]) -> None:
    """Left alone, HiGHS prints a line to the process's stdout on most of these."""
    code = """
from dataclasses import replace
import numpy as np
from nas.quantization.policies.integer_program import allocate
from nas.quantization.policies.options import Options
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.policy import widths
from search_spaces.core.registry import space_class

space = space_class("mcunetv2").configured({"resolutions": "48"}, InputFacts(3, 48, 48, 10, 100))
rng = np.random.default_rng(5)
table = space.decode(space.sample(rng, 1))
free = Options.of(table, widths("fp32,int8,w4a8,w2a8"), "analytic", {})
least, most = (free.figures(free.uniform(width))["weight_bytes"] for width in (0, 2))
for _ in range(15):
    losses = np.exp(rng.normal(-8, 2.5, free.shape))
    losses[:, -1] = 0
    allocate(replace(free, limits={"weight_bytes": rng.uniform(least, most)}), -np.sort(-losses, axis=1))
print("done")
"""
    assert run_python(code) == "done\n"
