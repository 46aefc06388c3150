"""Latencies of networks on a microcontroller, from instructions of their generated C on the simulated core."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nas.core.measured import Measured, Target
from nas.deployment.c_code.board import BoardProgram
from nas.deployment.c_code.generate import generate
from nas.deployment.c_code.target import target, target_names
from nas.deployment.qemu.boards import BOARDS, board
from nas.deployment.qemu.toolchain import require_tools
from nas.evaluation.host_profile import random_network
from nas.quantization.integer import IntegerNetwork
from nas.quantization.quantized import quantize
from nas.training.device import random_numbers
from predictors.hardware.device import device_names, load_device
from search_spaces.core.errors import WrongUse
from search_spaces.core.policy import QuantizationPolicy, quantizable_names
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

RUNTIME, PRECISION = "c", "int8"
_MS_OF_A_NANOSECOND = 1e-6
_CALIBRATED_WITH = 4
Keep = Callable[[Sequence[Measured | None]], None]
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SimulatedBoard:
    """A core that is simulated, and what an instruction takes: a nanosecond of a core alone, so that milliseconds are
    million instructions; of a device what its calibration says.
    """

    core: str
    ms_an_instruction: float


def simulated_board(device: str) -> SimulatedBoard | None:
    """Of a core's name, or of a device that has a calibration; None for all else."""
    if device in BOARDS:
        return SimulatedBoard(device, _MS_OF_A_NANOSECOND)
    if device not in device_names():
        return None
    known = load_device(device)
    if known.calibration is None or known.core_name not in BOARDS:
        return None
    return SimulatedBoard(known.core_name, 1e3 * known.calibration.cycles_per_instruction / known.clock_hz)


def check_board(asked: Target) -> None:
    """`WrongUse` where the generated program does not run so; `MissingTool` without compiler or simulator."""
    if (asked.runtime, asked.threads, asked.batch) != (RUNTIME, 1, 1):
        raise WrongUse(
            f"--device {asked.device} is simulated, and executes generated C, a picture at a time: give --runtime "
            f"{RUNTIME}, and leave --threads and --batch away"
        )
    require_tools()


def board_profile(
    space: SearchSpace[Any],
    population: Population,
    on: SimulatedBoard,
    known: Sequence[Measured | None],
    keep: Keep,
    report: Report,
) -> list[Measured | None]:
    """Milliseconds of each network of a population, layer by layer, int8 with random weights, on which no instruction
    depends. Those that are `known` stay; `keep` gets all after each one.
    """
    found = list(known)
    for row, architecture in enumerate(population):
        if found[row] is None:
            instructions = _instructions(space, population, row, on.core)
            found[row] = Measured(instructions * on.ms_an_instruction)
            keep(found)
        report(row + 1, len(population), architecture.id)
    return found


def _instructions(space: SearchSpace[Any], population: Population, row: int, core: str) -> float:
    architecture = population[row]
    table, size = space.decode(population[row : row + 1]), space.input_size(architecture)
    with random_numbers(0):
        pictures = torch.randn(_CALIBRATED_WITH, *size)
    network = random_network(space, population, row)
    with torch.no_grad():
        network.train()(pictures)  # or its batch norms would be as they were made
    policy = QuantizationPolicy.uniform(table)
    quantized = quantize(network.eval(), quantizable_names(table), policy, [pictures])
    integers = IntegerNetwork.of(quantized, integer_logits=True)
    kernels = next(each for each in map(target, target_names()) if each.board == core)
    made = generate(integers, size, table, kernels)
    with tempfile.TemporaryDirectory(prefix="fitnas-") as place:
        program = BoardProgram.of(made, board(core), Path(place))
        values = integers.tensors(pictures[:1])[made.model.program.input.name]
        return float(program.run(values.permute(0, 2, 3, 1).numpy().astype("int8")).instructions[0])
