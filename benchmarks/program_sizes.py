"""What generated C takes of the flash, by function: compiles every kernel for each target, and writes the files that
prices and promises are made of.

    python benchmarks/program_sizes.py [--targets cortex-m4 ...] [--check] [--networks 8]

To be run after a change of kernels. Then sets promised beside measured on random networks; `--check` does that alone.
"""

import argparse
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tomli_w
from random_networks import RandomNetwork
from results import write_section

from nas.deployment.c_code import program as c
from nas.deployment.c_code.board import BoardProgram
from nas.deployment.c_code.emit.network import definition
from nas.deployment.c_code.generate import Generated
from nas.deployment.c_code.passes.specialise import Function, function_of
from nas.deployment.c_code.sizing import program_bytes
from nas.deployment.c_code.target import KERNELS, Target, target, target_names
from nas.deployment.qemu.boards import board
from nas.deployment.qemu.toolchain import compile_program, compiler_flags
from predictors.hardware.program_size import ProgramSizes

FOLDER = Path(__file__).parent.parent / "predictors" / "hardware" / "program_sizes"
WIDE, CUT = (-128, 127), (-128, 100)
RIGHT, LEFT = -5, 1
STRUCTS = ("convolution", "depthwise", "fully_connected", "add", "multiply", "mean", "pool", "addition", "span")
NETWORKS = 8
ASKED = 0.02
COMPILER = "arm-none-eabi-gcc"


def weights(bits: int, bounds: tuple[int, int], shift: int) -> c.Weights:
    """Of one channel; the values do not matter."""
    one = np.ones(1, dtype=np.int32)
    return c.Weights(one.astype(np.int8), bits, one, one, np.array([shift], np.int8), 0, c.Bounded(0, *bounds))


def operators() -> Iterator[tuple[c.Operator, bool]]:
    """Every form of an operator that has a function of its own, and whether it works in place."""
    addition = c.Addition((0, 0), (c.Scaling(1, 0), c.Scaling(1, 0)), c.Scaling(1, 0), c.Bounded(0, *WIDE))
    many, out = c.Map("a", 8, 8, 16), c.Map("b", 8, 8, 16)
    known = {"name": "x", "inputs": (many,), "output": out}
    forms = [weights(*form) for form in itertools.product((8, 4), (WIDE, CUT), (RIGHT, LEFT))]
    for form, added in itertools.product(forms, (None, addition)):
        window = c.Window((1, 1), (1, 1), 0, 0)
        yield c.Convolution(**known, window=window, weights=form, addition=added), False
    for kernel, stride in ((1, 2), (3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2)):
        window = c.Window((kernel, kernel), (stride, stride), kernel // 2, kernel // 2)
        for form, channels in itertools.product(forms[:5], (1, 3, 16)):
            source = c.Map("a", 8, 8, channels)
            yield c.Convolution(name="x", inputs=(source,), output=out, window=window, weights=form), False
        yield c.Convolution(**known, window=window, weights=forms[0], addition=addition), False
        for form, in_place in itertools.product(forms, (True, False)):
            yield c.Depthwise(**known, window=window, weights=form), in_place
    for form in forms:
        yield c.FullyConnected(**known, weights=form), False
    yield c.Add(**known, addition=addition), False
    yield c.Multiply(**known, zero_points=(0, 0), factor=c.Scaling(1, 0), bounds=c.Bounded(0, *WIDE)), False
    yield c.Mean(**known, zero_point=0, factor=c.Scaling(1, 0), bounds=c.Bounded(0, *WIDE)), False
    for largest in (True, False):
        pool = {"window": c.Window((2, 2), (2, 2), 0, 0), "bounds": c.Bounded(0, *WIDE)}
        yield c.Pool(**known, largest=largest, **pool), False


def symbols(kernels: Target, source: str, folder: Path) -> dict[str, int]:
    """Bytes by name of what a source file makes."""
    (folder / "kernels.h").write_text("\n".join((KERNELS / name).read_text() for name in [*kernels.kernels, "parts.h"]))
    (folder / "file.c").write_text(f'#include "kernels.h"\n{source}')
    flags = compiler_flags(board(kernels.board))
    subprocess.run([COMPILER, *flags, "-c", "file.c", "-o", "file.o"], cwd=folder, check=True)
    told = subprocess.run(["arm-none-eabi-nm", "-S", "file.o"], cwd=folder, check=True, capture_output=True, text=True)
    rows = (line.split() for line in told.stdout.splitlines())
    return {row[3]: int(row[1], 16) for row in rows if len(row) == 4 and not row[3].startswith("$")}


def measured_functions(kernels: Target, folder: Path) -> tuple[dict[str, int], dict[str, int], dict[str, list[str]]]:
    """Functions, helpers, and which of these each function needs."""
    found: dict[Function, None] = dict.fromkeys(function_of(each, in_place) for each, in_place in operators())
    functions, helpers, needs = {}, {}, {}
    for function in found:
        kept = f"void *const kept = (void *){function.name};\n"
        sizes = symbols(kernels, definition(function) + kept, folder)
        functions[function.name] = sizes.pop(function.name)
        shared = {name: size for name, size in sizes.items() if name.startswith("nn_")}
        helpers |= shared
        if shared:
            needs[function.name] = sorted(shared)
    return functions, helpers, needs


def measured_structs(kernels: Target, folder: Path) -> dict[str, int]:
    """Their sizes on the board."""
    lines = "".join(f"const char size_{name}[sizeof(struct nn_{name})] = {{0}};\n" for name in STRUCTS)
    return {name.removeprefix("size_"): size for name, size in symbols(kernels, lines, folder).items()}


def empty_program(kernels: Target, folder: Path) -> int:
    """Flash of a program whose network does nothing."""
    (folder / "network.h").write_text(
        "#include <stdint.h>\n#define NETWORK_INPUT_BYTES 4\nextern int8_t network_arena[4];\n"
        "const int8_t *network_run(const int8_t *input);\n"
    )
    (folder / "network.c").write_text(
        '#include "network.h"\nint8_t network_arena[4];\nconst int8_t *network_run(const int8_t *input)\n'
        "{\n    network_arena[0] = *input;\n    return network_arena;\n}\n"
    )
    smallest = KERNELS.parent / "programs" / "smallest.c"
    return compile_program(board(kernels.board), [folder / "network.c", smallest], folder / "elf", [folder]).flash


def fitted(kernels: Target, sizes: ProgramSizes, folder: Path) -> dict[str, float]:
    """What calls take, from random networks: flash less all that is known, over the number of operators."""
    rows, rest = [], []
    for seed in range(NETWORKS):
        made = RandomNetwork(seed).generated(kernels, patched=seed % 2 == 1)
        known = ProgramSizes(**{**vars(sizes), "layer": 0.0, "stage": 0, "stage_layer": 0.0})
        rest.append(flash(made, folder / str(seed)) - known_bytes(made, known))
        staged = sum(map(made.model.in_stage, made.model.program.operators))
        rows.append([len(made.model.program.operators) - staged, staged > 0, staged])
    layer, stage, stage_layer = np.linalg.lstsq(np.array(rows, dtype=float), np.array(rest, dtype=float), rcond=None)[0]
    return {"layer": round(float(layer), 1), "stage": round(float(stage)), "stage_layer": round(float(stage_layer), 1)}


def known_bytes(made: Generated, sizes: ProgramSizes) -> int:
    """A program's bytes by these sizes."""
    return program_bytes(made.model, sizes)


def flash(made: Generated, folder: Path) -> int:
    """Text and data of the least firmware."""
    folder.mkdir(exist_ok=True)
    return BoardProgram.of(made, board(made.model.target.board), folder).weigh().flash


def measure(kernels: Target) -> dict[str, object]:
    """The file of a target."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        functions, helpers, needs = measured_functions(kernels, folder)
        structs, start = measured_structs(kernels, folder), empty_program(kernels, folder)
        told = {name: tuple(each) for name, each in needs.items()}
        sizes = ProgramSizes(start, 0.0, 0, 0.0, structs, functions, helpers, told)
        calls = fitted(kernels, sizes, folder)
    return {"start": start, **calls, "structs": structs, "functions": functions, "helpers": helpers, "needs": needs}


def compiler() -> str:
    """Its name and version."""
    told = subprocess.run([COMPILER, "--version"], check=True, capture_output=True, text=True)
    return told.stdout.splitlines()[0]


def check(kernels: Target, networks: int) -> dict[str, object]:
    """Promised beside measured on other networks."""
    off, sizes = [], []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(100, 100 + networks):
            made = RandomNetwork(seed).generated(kernels, patched=seed % 2 == 1)
            promised, measured = program_bytes(made.model), flash(made, Path(name) / str(seed))
            off.append(abs(measured / promised - 1))
            sizes.append(measured)
    return {
        "target": kernels.name,
        "networks, every second with patches": networks,
        "bytes": f"{min(sizes):,} to {max(sizes):,}",
        f"within {ASKED:.0%}": f"{np.mean(np.array(off) <= ASKED):.0%}",
        "mean difference": f"{np.mean(off):.2%}",
        "largest difference": f"{max(off):.2%}",
    }


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", choices=target_names(), default=target_names())
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--networks", type=int, default=NETWORKS)
    told, rows = parser.parse_args(), []
    for name in told.targets:
        kernels = target(name)
        if not told.check:
            text = tomli_w.dumps(measure(kernels))
            (FOLDER / f"{name}.toml").write_text(f"# by benchmarks/program_sizes.py; {compiler()}\n{text}")
        rows.append(check(kernels, told.networks))
    notes = ["text and data of the least firmware, linked with the project's script; asked: within 2 %"]
    write_section("Flash of generated C, promised", rows, [*notes, f"compiler: {compiler()}"])


if __name__ == "__main__":
    main()
