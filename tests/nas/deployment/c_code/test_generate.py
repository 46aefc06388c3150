"""Random networks under random schedules: the compiled program needs the bytes that were priced and answers what the
integer reference answers, bit for bit.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas.deployment.c_code.board import BoardProgram
from nas.deployment.c_code.counting import program_instructions
from nas.deployment.c_code.generate import generate
from nas.deployment.c_code.host import SANITIZED, compilers, execute
from nas.deployment.c_code.sizing import program_bytes
from nas.deployment.c_code.target import target, target_names
from nas.deployment.qemu.boards import board
from nas.deployment.qemu.toolchain import missing_tools
from nas.quantization.integer import IntegerNetwork
from nas.quantization.quantized import quantize
from predictors.hardware.instructions import core_names, instruction_model
from predictors.hardware.price import price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.policy import QuantizationPolicy, quantizable_names, width
from search_spaces.mcunetv2.space import Mcunetv2

pytestmark = pytest.mark.skipif(not compilers(), reason="needs a C compiler: apt-get install gcc")


class Example:
    """One random network of small pictures, its integers at random widths, and what these answer."""

    def __init__(self, seed: int, aspect: tuple[int, int], widths: Sequence[str] = ("int8", "w4a8")) -> None:
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        facts = InputFacts(3, 64 * aspect[0], 64 * aspect[1], 10, 1000)
        space = Mcunetv2.configured({"backbone": "micro", "resolutions": "24,27"}, facts)
        population = space.sample(rng, 1)
        self.table, self.size = space.decode(population), space.input_size(population[0])
        pictures = torch.randn(4, *self.size)
        network = _with_statistics(space.build(population[0]), pictures)
        names = quantizable_names(self.table)
        policy = QuantizationPolicy({name: width(str(rng.choice(widths))) for name in names})
        self.integers = IntegerNetwork.of(quantize(network, names, policy, [pictures]), integer_logits=True)
        values = self.integers.tensors(pictures)
        given = next(each.output for each in self.integers.operators if self.integers.input in each.inputs)
        self.inputs = values[given].permute(0, 2, 3, 1).numpy().astype(np.int8)
        self.outputs = values[self.integers.output].flatten(1).numpy().astype(np.int8)


def _with_statistics(network: nn.Module, pictures: torch.Tensor) -> nn.Module:
    """With batch norms that have seen pictures and change them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    with torch.no_grad():
        network.train()(pictures)
    return network.eval()


@pytest.mark.parametrize("compiler", compilers())
@pytest.mark.parametrize(
    ("seed", "aspect", "schedule", "count_input"),
    [(0, (1, 1), (1, 0), False), (1, (3, 4), (2, 4), True), (2, (5, 3), (3, 2), False)],
    ids=["layer-by-layer", "2x4-with-image", "3x2-uneven"],
)
def test_the_program_needs_and_answers_what_was_promised(
    seed: int, aspect: tuple[int, int], schedule: tuple[int, int], count_input: bool, compiler: str, tmp_path: Path
) -> None:
    example = Example(seed, aspect)
    made = generate(example.integers, example.size, example.table, target("portable"), schedule, count_input)
    for name, text in made.files.items():
        (tmp_path / name).write_text(text)
    done = execute(tmp_path, example.inputs, compiler, SANITIZED)
    asked = schedule if schedule[1] else "none"
    priced = price_table(example.table, "c", schedule=asked, count_input=count_input)
    assert done.arena_bytes == priced["peak_sram_bytes"][0]
    assert 0 <= done.arena_bytes - done.written_bytes < 4, "the last tensor's size was rounded up to a word"
    assert np.array_equal(done.outputs, example.outputs)


@pytest.mark.skipif(bool(missing_tools()), reason="needs gcc-arm-none-eabi and qemu-system-arm")
@pytest.mark.parametrize("name", target_names())
@pytest.mark.parametrize(("seed", "schedule"), [(4, (1, 0)), (1, (2, 4))], ids=["layer-by-layer", "2x4"])
def test_a_board_needs_and_answers_what_was_promised(
    name: str, seed: int, schedule: tuple[int, int], tmp_path: Path
) -> None:
    """Weights of 8 and of 4 bits; the kernels of every target, their instructions and sizes as they are today."""
    example, kernels = Example(seed, (1, 1)), target(name)
    made = generate(example.integers, example.size, example.table, kernels, schedule)
    program = BoardProgram.of(made, board(kernels.board), tmp_path)
    done = program.run(example.inputs, profiled=True)
    assert np.array_equal(done.outputs, example.outputs)
    assert done.arena_bytes == made.model.arena.bytes
    assert 0 <= done.arena_bytes - done.written_bytes < 4
    assert done.stack_bytes < 1024
    assert program.weigh().flash == pytest.approx(program_bytes(made.model), rel=0.02)
    assert done.layers is not None
    assert done.layers.sum() == pytest.approx(done.instructions.mean(), rel=0.03)


@pytest.mark.skipif(bool(missing_tools()), reason="needs gcc-arm-none-eabi and qemu-system-arm")
@pytest.mark.parametrize("schedule", [(1, 0), (2, 4)], ids=["layer-by-layer", "2x4"])
@pytest.mark.parametrize("name", [each for each in target_names() if target(each).board in core_names()])
def test_instructions_are_what_was_promised(name: str, schedule: tuple[int, int], tmp_path: Path) -> None:
    example, kernels = Example(1, (1, 1), widths=("int8",)), target(name)
    made = generate(example.integers, example.size, example.table, kernels, schedule)
    done = BoardProgram.of(made, board(kernels.board), tmp_path).run(example.inputs[:1])
    within = instruction_model(kernels.board).within
    assert program_instructions(made.model) == pytest.approx(done.instructions[0], rel=within)
    if not schedule[1]:
        of_table = instruction_model(kernels.board).of_table(example.table)[0]
        assert of_table == pytest.approx(done.instructions[0], rel=within)


def test_a_schedule_that_splits_a_residual_block_is_refused() -> None:
    example = Example(1, (3, 4))
    with pytest.raises(WrongUse, match="no patch stage can end after block 99"):
        generate(example.integers, example.size, example.table, target("portable"), (2, 99))
