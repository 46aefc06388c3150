"""Compiles a folder's network for a simulated board, and runs it there."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code.host import SOURCES
from nas.deployment.qemu.boards import Board
from nas.deployment.qemu.simulation import simulate
from nas.deployment.qemu.toolchain import Size, compile_program
from search_spaces.core.errors import FitnasError

MOST_PICTURES = 10
_PROGRAMS = Path(__file__).parent / "programs"
_FIGURES = 3


@dataclass(frozen=True)
class BoardExecution:
    """`outputs` int8 `(n, classes)`; `instructions` `(n,)` a picture, to some dozens; bytes of the arena, the most of
    it and of the stack that was written; by layer, with `profiled`, its instructions a picture.
    """

    outputs: NDArray[np.int8]
    instructions: NDArray[np.float64]
    arena_bytes: int
    written_bytes: int
    stack_bytes: int
    layers: NDArray[np.float64] | None = None


def execute_on(
    board: Board, folder: Path, inputs: NDArray[np.int8], profiled: bool = False, seconds: float = 60.0
) -> BoardExecution:
    """At most ten pictures `(n, height, width, channels)` through the folder's program.

    `MissingTool` without compiler or QEMU; `FitnasError` where the program is refused, faults, or does not end in time.
    """
    if not 0 < len(inputs) <= MOST_PICTURES:
        raise ValueError(f"expected 1 to {MOST_PICTURES} pictures, got {len(inputs)}")
    with tempfile.TemporaryDirectory(prefix="fitnas-") as made:
        place = Path(made)
        for number, picture in enumerate(np.ascontiguousarray(inputs, dtype=np.int8)):
            (place / f"input{number}").write_bytes(picture.tobytes())
        sources = [*(folder / name for name in SOURCES), _PROGRAMS / "run_board.c"]
        defines: dict[str, str | int] = {"PICTURES": len(inputs)} | ({"PROFILED": 1} if profiled else {})
        front = [_PROGRAMS / "profile.h"] if profiled else []
        compile_program(board, sources, place / "elf", [folder], defines, front=front)
        code = simulate(board, place / "elf", place, seconds)
        if code:
            raise FitnasError(f"the network's program ended with {code}: it expects pictures of another size")
        return _read(place, board, len(inputs))


def _read(place: Path, board: Board, pictures: int) -> BoardExecution:
    figures = np.frombuffer((place / "figures").read_bytes(), dtype="<u4")
    arena, written, stack = figures[:_FIGURES].tolist()
    ticks = figures[_FIGURES:].astype(np.float64)
    layers = None
    if (place / "layers").exists():
        counted = np.frombuffer((place / "layers").read_bytes(), dtype="<u4")
        layers = counted * (board.instructions_per_tick / pictures)
    outputs = np.frombuffer((place / "output").read_bytes(), dtype=np.int8).reshape(pictures, -1)
    return BoardExecution(outputs, ticks * board.instructions_per_tick, arena, written, stack, layers)


def weigh(board: Board, folder: Path) -> Size:
    """The folder's network with the least main that runs it, linked with the board's start-up code."""
    with tempfile.TemporaryDirectory(prefix="fitnas-") as made:
        sources = [*(folder / name for name in SOURCES), _PROGRAMS / "smallest.c"]
        return compile_program(board, sources, Path(made) / "elf", [folder])
