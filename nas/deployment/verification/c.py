"""A folder of C: compiled and run on this machine under sanitizers, and on the simulated board of its target."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code import host
from nas.deployment.c_code.board import BoardProgram
from nas.deployment.c_code.host import SANITIZED
from nas.deployment.c_code.target import target
from nas.deployment.qemu.boards import Board, board
from nas.deployment.qemu.toolchain import lacking_tools
from nas.deployment.samples import read_samples
from nas.deployment.verification import Check
from predictors.hardware.instructions import core_names, instruction_model
from search_spaces.core.errors import FitnasError

MARK = "network.c"
_SAMPLES = "test pictures"
_FLASH_WITHIN = 0.02
_ROUNDED_UP = 3  # bytes: the last tensor's size, rounded up to a word


def verify(folder: Path, manifest: Mapping[str, Any]) -> list[Check]:
    """Checks of the compiled program; where a tool is missing, it is said what brings it."""
    try:
        kernels = target(manifest["c"]["target"])
    except KeyError:
        raise FitnasError(f"{folder}: the manifest names no target; export the network again") from None
    inputs, outputs = read_samples(folder)
    checks = [*_on_host(folder, manifest["promised"], inputs, outputs)]
    return [*checks, *_on_board(folder, manifest["promised"], inputs, outputs, board(kernels.board))]


def _on_host(
    folder: Path, promised: Mapping[str, Any], inputs: NDArray[np.int8], outputs: NDArray[np.int8]
) -> Iterator[Check]:
    arena = int(promised["peak_sram_bytes"])
    if not host.compilers():
        how = host.missing("a C compiler", host.PACKAGES["gcc"])
        yield Check("arena on this machine", arena, None, how)
        yield Check("other logits on this machine", 0, None, how)
        return
    for compiler in host.compilers():
        done = host.execute(folder, inputs, compiler, SANITIZED)
        how = f"{compiler}, address and undefined-behaviour sanitizers, {len(inputs)} {_SAMPLES}"
        yield Check(f"arena by {compiler}", arena, done.arena_bytes, how)
        yield _written(arena, done.written_bytes, f"painted before each run, {how}")
        yield Check(f"other logits by {compiler}", 0, _differing(done.outputs, outputs), how)


def _on_board(
    folder: Path, promised: Mapping[str, Any], inputs: NDArray[np.int8], outputs: NDArray[np.int8], on: Board
) -> Iterator[Check]:
    within = instruction_model(on.name).within if on.name in core_names() else 0.0
    figures = {"peak_sram_bytes": 0.0, "flash_bytes": _FLASH_WITHIN, "instructions": within}
    if lacking := lacking_tools():
        for name in figures:
            if name in promised:
                yield Check(name, promised[name], None, f"needs {lacking}")
        return
    with tempfile.TemporaryDirectory(prefix="fitnas-") as made:
        program = BoardProgram.compiled(on, folder, Path(made))
        done, flash = program.run(inputs), program.weigh().flash
    how = f"{on.name}, QEMU's {on.machine}, {len(inputs)} {_SAMPLES}"
    measured = {
        "peak_sram_bytes": done.arena_bytes,
        "flash_bytes": flash,
        "instructions": float(done.instructions.max()),
    }
    ways = {"flash_bytes": f"text and data, arm-none-eabi-size, linked for {on.name}"}
    for name, within in figures.items():
        if name in promised:
            yield Check(name, promised[name], measured[name], ways.get(name, how), within)
    yield _written(promised["peak_sram_bytes"], done.written_bytes, f"painted before each run, {how}")
    yield Check(f"other logits on {on.name}", 0, _differing(done.outputs, outputs), how)
    if "stack_bytes" in promised:
        yield Check("stack_bytes", promised["stack_bytes"], done.stack_bytes, f"painted, {how}", at_most=True)


def _written(arena: int, written: int, how: str) -> Check:
    """The highest byte that a run wrote: of the arena nothing is left over."""
    return Check("unused bytes of the arena", _ROUNDED_UP, arena - written, how, at_most=True)


def _differing(answers: NDArray[np.int8], outputs: NDArray[np.int8]) -> int:
    return int((answers != outputs).sum()) if answers.shape == outputs.shape else outputs.size
