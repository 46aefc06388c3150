"""Names, arena and patches of one small network, whose operator table promises them."""

import numpy as np
import pytest

from nas.deployment.c_code.passes.cut_patches import cut_patches
from nas.deployment.c_code.passes.lower import lower
from nas.deployment.c_code.passes.name_operators import name_operators
from nas.deployment.c_code.passes.plan_memory import plan_memory
from nas.deployment.c_code.program import Program
from predictors.hardware.price import price_table
from search_spaces.core.errors import FitnasError, WrongUse
from tests.nas.deployment.c_code.test_generate import Example


@pytest.fixture(scope="module")
def example() -> Example:
    return Example(1, (1, 1))


@pytest.fixture(scope="module")
def program(example: Example) -> Program:
    return name_operators(lower(example.integers, example.size), example.table.layers(0))


def test_operators_have_the_names_of_the_table(example: Example, program: Program) -> None:
    assert [each.name for each in program.operators] == [layer.name for layer in example.table.layers(0)]


def test_a_table_of_another_network_is_refused(example: Example) -> None:
    lowered, layers = lower(example.integers, example.size), example.table.layers(0)
    with pytest.raises(FitnasError, match="what the table promised is of another network"):
        name_operators(lowered, layers[:-1])
    with pytest.raises(FitnasError, match="what the table promised is of another network"):
        name_operators(lowered, [layers[0]._replace(kernel=5), *layers[1:]])


def test_the_arena_is_the_price(example: Example, program: Program) -> None:
    for schedule in ((1, 0), (2, 4)):
        arena = plan_memory(program, example.table, *schedule, count_input=False)
        priced = price_table(example.table, "c", schedule=schedule if schedule[1] else "none")
        assert arena.bytes == priced["peak_sram_bytes"][0]
        assert all(offset % 4 == 0 for offset in arena.offsets.values())
    with pytest.raises(WrongUse, match="no patch stage can end after block 99"):
        plan_memory(program, example.table, 2, 99, count_input=False)


def test_patches_cover_every_row_of_the_stages_output_once(example: Example, program: Program) -> None:
    layers = example.table.layers(0)
    assert cut_patches(program, plan_memory(program, example.table, 1, 0, count_input=False), layers) is None
    arena = plan_memory(program, example.table, 3, 4, count_input=False)
    stage = cut_patches(program, arena, layers)
    assert stage is not None
    made = program.operators[arena.end].output
    for spans, side in ((stage.rows, made.height), (stage.columns, made.width)):
        covered = [place for patch in spans for place in range(*patch[-1])]
        assert covered == list(range(side))
    widest = np.array([[stop - start for start, stop in patch] for patch in stage.rows]).max(axis=0)
    assert (widest[1:] <= [each.output.height for each in program.operators[: arena.end + 1]]).all()
