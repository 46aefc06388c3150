"""Instructions of generated C by kernel: random networks on simulated cores, layer by layer; writes the coefficients
that prices and promises are made of, and compares whole networks that were not counted.

    python benchmarks/instruction_counts.py [--targets cortex-m4 ...] [--networks 24] [--check 50]

To be run after a change of kernels. `--networks 0` writes no coefficients and only compares.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import tomli_w
from program_sizes import compiler
from random_networks import RandomNetwork
from results import write_section

from nas.deployment.c_code.board import BoardProgram
from nas.deployment.c_code.counting import operator_call, program_instructions
from nas.deployment.c_code.target import Target, target, target_names
from nas.deployment.qemu.boards import board
from predictors.hardware.instructions import Calls, fit, instruction_model

FOLDER = Path(__file__).parent.parent / "predictors" / "hardware" / "instruction_counts"
RESOLUTIONS = "24,32,40,48,64,80"
HELD_OUT_FROM = 1000
WITH_VECTORS = ("cortex-m55",)


def counted(kernels: Target, networks: int) -> list[tuple[str, Calls, float]]:
    """Kernel, shapes and instructions of every layer of some networks."""
    found = []
    for seed in range(networks):
        network = RandomNetwork(seed, RESOLUTIONS)
        made = network.generated(kernels)
        with tempfile.TemporaryDirectory() as name:
            layers = (
                BoardProgram.of(made, board(kernels.board), Path(name)).run(network.samples()[0], profiled=True).layers
            )
        assert layers is not None
        for each, instructions in zip(made.model.program.operators, layers.tolist(), strict=True):
            found.append((*operator_call(each), instructions))
        print(f"{kernels.name}: counted {seed + 1} of {networks}", flush=True)
    return found


def compared(kernels: Target, networks: int) -> dict[str, object]:
    """Promised beside counted instructions of networks that were not counted before, every other one with patches."""
    errors, table_errors, patched = [], [], 0
    for seed in range(HELD_OUT_FROM, HELD_OUT_FROM + networks):
        network, with_patches = RandomNetwork(seed, RESOLUTIONS), seed % 2 == 1
        made = network.generated(kernels, with_patches)
        with tempfile.TemporaryDirectory() as name:
            instructions = float(
                BoardProgram.of(made, board(kernels.board), Path(name)).run(network.samples()[0]).instructions[0]
            )
        promised = program_instructions(made.model)
        assert promised is not None
        errors.append(promised / instructions - 1)
        patched += made.model.stage is not None
        if made.model.stage is None:
            table_errors.append(float(instruction_model(kernels.board).of_table(network.table)[0]) / instructions - 1)
        print(f"{kernels.name} {seed}: {instructions / 1e6:.3f} M, promised {errors[-1]:+.3%}", flush=True)
    return {
        "core": kernels.board,
        "networks": networks,
        "with patches": patched,
        "within 3 %": f"{100 * np.mean(np.abs(errors) <= 0.03):.0f} %",
        "largest error": f"{100 * np.abs(errors).max():.2f} %",
        "largest error of the price": f"{100 * np.abs(table_errors).max():.2f} %",
    }


def main() -> None:
    """Writes the files and the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=target_names(), default=target_names())
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--check", type=int, default=50)
    told = parser.parse_args()
    rows = []
    for name in told.targets:
        kernels = target(name)
        if told.networks:
            model = fit(counted(kernels, told.networks), vectors=kernels.board in WITH_VECTORS)
            coefficients = {name: list(each) for name, each in model.coefficients.items()}
            within = 0.05 if model.vectors else model.within
            text = tomli_w.dumps({"vectors": model.vectors, "within": within, "coefficients": coefficients})
            (FOLDER / f"{kernels.board}.toml").write_text(
                f"# by benchmarks/instruction_counts.py; {compiler()}\n{text}"
            )
            instruction_model.cache_clear()
        if told.check:
            rows.append(compared(kernels, told.check))
    if rows:
        write_section("Instructions of generated C, predicted", rows, NOTES)


NOTES = [
    "random networks of mcunetv2 that no coefficient was learnt from, int8, QEMU's instruction count; promised: by the "
    "exported program, patch by patch; the price: by the operator table, layer by layer",
    "asked: within 3 % for 95 % of 50 networks",
]


if __name__ == "__main__":
    main()
