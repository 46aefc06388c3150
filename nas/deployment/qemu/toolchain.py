"""Compiles C for a board with gcc and our own start code, and weighs what comes out."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.deployment.qemu.boards import Board
from search_spaces.core.errors import FitnasError

FIRMWARE = Path(__file__).parent / "firmware"
COMPILER = "arm-none-eabi-gcc"
OPTIMISATION = "-O2"
START_FILES = ("start.c", "memory.c")
LINKED_BY = ("-nostdlib", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror")
PACKAGES = {
    COMPILER: "gcc-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
}
"""The Debian package that brings each tool."""
_COMPILE_SECONDS = 120.0
_LONGEST_SHOWN = 4000
_SIZE_FIELDS = 3


class MissingTool(FitnasError):
    """A program that this machine lacks."""


@dataclass(frozen=True)
class Size:
    """Bytes: `text` code and constants, `data` preset variables (in flash and RAM), `bss` cleared variables (RAM)."""

    text: int
    data: int
    bss: int

    @property
    def flash(self) -> int:
        """What the program takes of the flash."""
        return self.text + self.data


def missing_tools() -> list[str]:
    """Those of `PACKAGES` that are not on the path."""
    return [tool for tool in PACKAGES if shutil.which(tool) is None]


def lacking_tools() -> str:
    """What is missing, and what to install; empty where nothing is."""
    missing = missing_tools()
    packages = " ".join(dict.fromkeys(PACKAGES[tool] for tool in missing))
    return f"{', '.join(missing)}: apt-get install --no-install-recommends {packages}" if missing else ""


def require_tools() -> None:
    """`MissingTool`, with the packages to install, where one is missing."""
    if lacking := lacking_tools():
        raise MissingTool(f"a simulated board needs {lacking}")


def compile_objects(
    board: Board,
    sources: Sequence[Path],
    place: Path,
    include: Sequence[Path] = (),
    defines: Mapping[str, str | int] | None = None,
    front: Sequence[Path] = (),
    ending: str = ".o",
) -> tuple[Path, ...]:
    """Object files of sources, in `place`; warnings are errors. `front`: headers that every source begins with.

    `MissingTool` where there is no compiler; `FitnasError` with what it says where it refuses.
    """
    require_tools()
    folders = [f"-I{folder}" for folder in (FIRMWARE, *include)]
    folders += [word for header in front for word in ("-include", str(header))]
    given = [f"-D{name}={value}" for name, value in (defines or {}).items()]
    made = []
    for source in sources:
        made.append(place / (source.stem + ending))
        flags = [*compiler_flags(board), *WARNINGS, *given, *folders]
        _run([COMPILER, *flags, "-c", source, "-o", made[-1]])
    return tuple(made)


def link(board: Board, objects: Sequence[Path], elf: Path) -> None:
    """Object files, of which one has a `main`, with the board's start code."""
    own = compile_objects(board, [FIRMWARE / name for name in START_FILES], elf.parent)
    script = [f"-L{FIRMWARE}", "-T", str(FIRMWARE / board.linker_script)]
    _run([COMPILER, *board.flags, *own, *objects, *LINKED_BY, *script, "-lgcc", "-o", elf])


def compile_program(
    board: Board,
    sources: Sequence[Path],
    elf: Path,
    include: Sequence[Path] = (),
    defines: Mapping[str, str | int] | None = None,
) -> Size:
    """Both, from sources, which hold a `main`, to `elf`."""
    link(board, compile_objects(board, sources, elf.parent, include, defines), elf)
    return size_of(elf)


def compiler_flags(board: Board) -> list[str]:
    """Of freestanding code for a board, without warnings."""
    return [*board.flags, OPTIMISATION, "-ffreestanding", "-ffunction-sections", "-fdata-sections"]


def size_of(elf: Path) -> Size:
    """By `arm-none-eabi-size`."""
    line = _run(["arm-none-eabi-size", elf]).splitlines()[-1]
    return Size(*map(int, line.split()[:_SIZE_FIELDS]))


def _run(command: Sequence[str | Path]) -> str:
    words = list(map(str, command))
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise FitnasError(f"{words[0]} did not end within {_COMPILE_SECONDS:.0f} s") from None
    if done.returncode:
        told = (done.stderr or done.stdout)[:_LONGEST_SHOWN]
        raise FitnasError(f"{words[0]} ended with {done.returncode}:\n{told}")
    return done.stdout
