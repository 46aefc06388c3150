"""Random networks under random schedules: the compiled program needs the bytes that were priced and answers what the
integer reference answers, bit for bit.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas.deployment.c_code.generate import generate
from nas.deployment.c_code.host import SANITIZED, compilers, execute
from nas.deployment.c_code.target import target
from nas.quantization.integer import IntegerNetwork
from nas.quantization.quantized import quantize
from predictors.hardware.price import price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.policy import QuantizationPolicy, quantizable_names, width
from search_spaces.mcunetv2.space import Mcunetv2

pytestmark = pytest.mark.skipif(not compilers(), reason="needs a C compiler: apt-get install gcc")


class Example:
    """One random network of small pictures, its integers at random widths, and what these answer."""

    def __init__(self, seed: int, aspect: tuple[int, int]) -> None:
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        facts = InputFacts(3, 64 * aspect[0], 64 * aspect[1], 10, 1000)
        space = Mcunetv2.configured({"backbone": "micro", "resolutions": "24,27"}, facts)
        population = space.sample(rng, 1)
        self.table, self.size = space.decode(population), space.input_size(population[0])
        pictures = torch.randn(4, *self.size)
        network = _with_statistics(space.build(population[0]), pictures)
        names = quantizable_names(self.table)
        policy = QuantizationPolicy({name: width(str(rng.choice(["int8", "w4a8"]))) for name in names})
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


def test_a_schedule_that_splits_a_residual_block_is_refused() -> None:
    example = Example(1, (3, 4))
    with pytest.raises(WrongUse, match="no patch stage can end after block 99"):
        generate(example.integers, example.size, example.table, target("portable"), (2, 99))
