"""Compiles and runs a folder's network on this machine."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.deployment.c_code.target import WARNINGS
from search_spaces.core.errors import FitnasError

SOURCES = ("network.c", "weights.c")
PACKAGES = {"gcc": "gcc", "clang": "clang"}
"""The Debian package that brings each compiler."""

SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FAST = ("-O2",)
_PROGRAM = Path(__file__).parent / "programs" / "run_pictures.c"
_COMPILE_SECONDS, _RUN_SECONDS = 300.0, 600.0
_LONGEST_SHOWN = 4000


class MissingTool(FitnasError):
    """A program that this machine lacks."""


@dataclass(frozen=True)
class Execution:
    """`outputs` int8 `(n, classes)`; bytes of the arena as compiled, and the most of it that was ever written."""

    outputs: NDArray[np.int8]
    arena_bytes: int
    written_bytes: int


def compilers() -> list[str]:
    """Those of `PACKAGES` that this machine has."""
    return [name for name in PACKAGES if shutil.which(name) is not None]


def missing(tool: str, package: str) -> str:
    """What to say of a tool that is not there."""
    return f"needs {tool}: apt-get install --no-install-recommends {package}"


def execute(
    folder: Path, inputs: NDArray[np.int8], compiler: str | None = None, flags: Sequence[str] = SANITIZED
) -> Execution:
    """Pictures `(n, height, width, channels)` through the folder's program.

    `compiler`: the first that is there unless it is given. `MissingTool` where there is none; `FitnasError` with what
    was said where the program is refused, or ends otherwise than it should, such as by a sanitizer.
    """
    with tempfile.TemporaryDirectory(prefix="fitnas-") as made:
        place = Path(made)
        program = place / "run_pictures"
        build(folder, program, compiler, flags)
        (place / "inputs").write_bytes(np.ascontiguousarray(inputs, dtype=np.int8).tobytes())
        told = _run([program, place / "inputs", place / "outputs"], _RUN_SECONDS)
        outputs = np.frombuffer((place / "outputs").read_bytes(), dtype=np.int8)
    try:
        arena, written, pictures = map(int, told.split())
    except ValueError:
        raise FitnasError(f"the network's program printed {told[:80]!r} instead of three numbers") from None
    if pictures != len(inputs):
        raise FitnasError(f"the network's program read {pictures} of {len(inputs)} pictures: it expects another size")
    return Execution(outputs.reshape(pictures, -1), arena, written)


def build(folder: Path, program: Path, compiler: str | None = None, flags: Sequence[str] = FAST) -> None:
    """Compiles the folder's network with a main that runs it on pictures; warnings are errors."""
    found = compilers()
    if not found and compiler is None:
        raise MissingTool(missing("a C compiler", PACKAGES["gcc"]))
    named = compiler or found[0]
    sources = [folder / name for name in SOURCES]
    _run([named, *WARNINGS, *flags, "-I", folder, *sources, _PROGRAM, "-o", program], _COMPILE_SECONDS)


def _run(command: Sequence[str | Path], seconds: float) -> str:
    words = list(map(str, command))
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError:
        raise MissingTool(missing(words[0], PACKAGES.get(words[0], words[0]))) from None
    except subprocess.TimeoutExpired:
        raise FitnasError(f"{Path(words[0]).name} did not end within {seconds:.0f} s") from None
    if done.returncode:
        told = (done.stderr or done.stdout)[:_LONGEST_SHOWN]
        raise FitnasError(f"{Path(words[0]).name} ended with {done.returncode}:\n{told}")
    return done.stdout
