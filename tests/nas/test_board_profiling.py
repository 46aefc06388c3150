"""Profiles of simulated cores."""

import numpy as np
import pytest

import nas
from nas.board_profiling import board_profile, check_board, simulated_board
from nas.core.measured import Measured, Target
from nas.deployment.qemu.toolchain import missing_tools
from predictors.hardware.instructions import instruction_model
from search_spaces.core.errors import WrongUse


@pytest.mark.skipif(bool(missing_tools()), reason="needs gcc-arm-none-eabi and qemu-system-arm")
def test_what_is_counted_is_what_prices_promise() -> None:
    space = nas.space("mcunetv2", "digits", backbone="micro", resolutions="16,24")
    population = space.sample(np.random.default_rng(0), 3)
    on, kept, told = simulated_board("cortex-m4"), [], []
    assert on is not None
    known = [None, Measured(7.0), None]
    found = board_profile(
        space, population, on, known, lambda now: kept.append(list(now)), lambda *now: told.append(now)
    )
    priced = instruction_model("cortex-m4").of_table(space.decode(population)) / 1e6
    assert [each.value for each in found if each is not None] == pytest.approx([priced[0], 7.0, priced[2]], rel=0.03)
    assert kept[0][2] is None
    assert [row for row, *_ in told] == [1, 2, 3]


def test_which_boards_are_simulated() -> None:
    board = simulated_board("stm32l4r5")
    assert board is not None
    assert (board.core, board.ms_an_instruction) == ("cortex-m4", pytest.approx(1e3 * 1.537 / 120e6))
    assert simulated_board("host") is None
    assert simulated_board("stm32f412") is None
    with pytest.raises(WrongUse, match="give --runtime c"):
        check_board(Target("cortex-m4", "onnxruntime"))
