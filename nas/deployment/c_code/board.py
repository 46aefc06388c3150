"""A folder's network compiled for a simulated board, weighed and run there."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code.generate import Generated
from nas.deployment.c_code.host import SOURCES
from nas.deployment.qemu.boards import Board
from nas.deployment.qemu.simulation import simulate
from nas.deployment.qemu.toolchain import Size, compile_objects, link, size_of
from search_spaces.core.errors import FitnasError

MOST_PICTURES = 10
_PROGRAMS = Path(__file__).parent / "programs"
_PROFILE = _PROGRAMS / "profile.h"
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


@dataclass(frozen=True)
class BoardProgram:
    """Object files of the network in `folder`, whose headers are there or in `place`, where everything is written."""

    board: Board
    folder: Path
    place: Path
    objects: tuple[Path, ...]

    @classmethod
    def compiled(cls, board: Board, folder: Path, place: Path) -> "BoardProgram":
        """`MissingTool` without compiler or QEMU; `FitnasError` where a source is refused, warnings are errors."""
        return cls(board, folder, place, compile_objects(board, [folder / name for name in SOURCES], place, [folder]))

    @classmethod
    def of(cls, generated: Generated, board: Board, place: Path) -> "BoardProgram":
        """Of a network that lies in no folder yet: its files are written to `place`."""
        for name, text in generated.files.items():
            (place / name).write_text(text, encoding="utf-8")
        return cls.compiled(board, place, place)

    def weigh(self) -> Size:
        """Of the least firmware with the network: its main calls it, and the board's start-up code that."""
        main = compile_objects(self.board, [_PROGRAMS / "smallest.c"], self.place, [self.folder])
        elf = self.place / "smallest.elf"
        link(self.board, [*self.objects, *main], elf)
        return size_of(elf)

    def run(self, inputs: NDArray[np.int8], profiled: bool = False, seconds: float = 60.0) -> BoardExecution:
        """At most ten pictures `(n, height, width, channels)`.

        `FitnasError` where the program faults, does not end in time, or expects pictures of another size.
        """
        if not 0 < len(inputs) <= MOST_PICTURES:
            raise ValueError(f"expected 1 to {MOST_PICTURES} pictures, got {len(inputs)}")
        for number, picture in enumerate(np.ascontiguousarray(inputs, dtype=np.int8)):
            (self.place / f"input{number}").write_bytes(picture.tobytes())
        program = replace(self, objects=self._profiled()) if profiled else self
        elf = program._linked(len(inputs), profiled)
        code = simulate(self.board, elf, self.place, seconds)
        if code:
            raise FitnasError(f"the network's program ended with {code}: it expects pictures of another size")
        return _read(self.place, self.board, len(inputs), profiled)

    def _profiled(self) -> tuple[Path, ...]:
        """The same with counters around every layer."""
        [network] = compile_objects(
            self.board, [self.folder / SOURCES[0]], self.place, [self.folder], front=[_PROFILE], ending=".profiled.o"
        )
        return (network, *self.objects[1:])

    def _linked(self, pictures: int, profiled: bool) -> Path:
        defines: dict[str, str | int] = {"PICTURES": pictures}
        if profiled:
            defines["PROFILED"] = 1
        main = compile_objects(self.board, [_PROGRAMS / "run_board.c"], self.place, [self.folder], defines)
        elf = self.place / "run_board.elf"
        link(self.board, [*self.objects, *main], elf)
        return elf


def _read(place: Path, board: Board, pictures: int, profiled: bool) -> BoardExecution:
    figures = np.frombuffer((place / "figures").read_bytes(), dtype="<u4")
    arena, written, stack = figures[:_FIGURES].tolist()
    ticks = figures[_FIGURES:].astype(np.float64)
    layers = None
    if profiled:
        counted = np.frombuffer((place / "layers").read_bytes(), dtype="<u4")
        layers = counted * (board.instructions_per_tick / pictures)
    outputs = np.frombuffer((place / "output").read_bytes(), dtype=np.int8).reshape(pictures, -1)
    return BoardExecution(outputs, ticks * board.instructions_per_tick, arena, written, stack, layers)
