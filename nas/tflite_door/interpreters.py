"""Executes .tflite files: TensorFlow Lite Micro, and LiteRT's reference kernels. In a process of its own with limits,
since both are native code that trusts what it reads.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas import isolated
from nas.tflite_door import require
from search_spaces.core.errors import FitnasError, WrongUse

TFLM, LITERT = "tflm", "litert"
INTERPRETERS = {TFLM: "TensorFlow Lite Micro", LITERT: "LiteRT, reference kernels"}
_ARENA_BYTES = 64 << 20
_MEMORY_BYTES = 2 << 30  # of addresses: LiteRT maps some that it never touches
_SECONDS = 120.0
_SHOWN = 300  # characters of what an interpreter says
_ALLOCATED = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")

Integers = NDArray[np.int8]


@dataclass(frozen=True)
class Executed:
    """`outputs` `(n, ...)`; of TensorFlow Lite Micro also its arena: the activations' bytes, `head`, and
    what stays, `tail`.
    """

    outputs: Integers
    head: int | None = None
    tail: int | None = None


def execute(path: Path, inputs: Integers, interpreter: str) -> Executed:
    """The outputs for inputs `(n, ...)`, each in the shape of the file's input.

    `WrongUse` with the file's name where the interpreter refuses it, dies of it, or takes too long.
    """
    require(f"to execute {path.name}")
    with tempfile.TemporaryDirectory() as scratch:
        given, got = Path(scratch) / "inputs.npy", Path(scratch) / "outputs.npy"
        np.save(given, inputs, allow_pickle=False)
        names = (interpreter, str(path.resolve()), str(given), str(got))
        try:
            arena = isolated.call(__name__, "run", *names, seconds=_SECONDS, memory_bytes=_MEMORY_BYTES)
        except FitnasError as error:  # whatever it is, the file is what made it
            raise WrongUse(f"{path}: {INTERPRETERS[interpreter]} does not execute it: {str(error)[:_SHOWN]}") from None
        return Executed(np.load(got, allow_pickle=False), arena.get("head"), arena.get("tail"))


def run(interpreter: str, path: str, given: str, got: str) -> dict[str, int]:
    """What the child does: executes, writes the outputs, hands over the arena's figures."""
    content, inputs = Path(path).read_bytes(), np.load(given, allow_pickle=False)
    outputs, arena = (_micro if interpreter == TFLM else _litert)(content, inputs)
    np.save(got, np.stack(outputs), allow_pickle=False)
    return arena


def _micro(content: bytes, inputs: Integers) -> tuple[list[Any], dict[str, int]]:
    from tflite_micro.python.tflite_micro import runtime

    outputs: list[Any] = []
    said: list[str] = []
    with _standard_error(said):
        try:
            made = runtime.Interpreter.from_bytes(content, arena_size=_ARENA_BYTES)
            shape = made.get_input_details(0)["shape"]
            for each in inputs:
                made.set_input(each.reshape(shape), 0)
                made.invoke()
                outputs.append(np.array(made.get_output(0)).reshape(-1))
            made.print_allocations()
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise WrongUse(f"{error}") from None
    found = {name: int(size) for name, size in _ALLOCATED.findall(said[0])}
    return outputs, found


def _litert(content: bytes, inputs: Integers) -> tuple[list[Any], dict[str, int]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    outputs = []
    try:
        made = Interpreter(
            model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
        )
        made.allocate_tensors()
        [given], [answer] = made.get_input_details(), made.get_output_details()
        for each in inputs:
            made.set_tensor(given["index"], each.reshape(given["shape"]))
            made.invoke()
            outputs.append(np.array(made.get_tensor(answer["index"])).reshape(-1))
    except (RuntimeError, ValueError, TypeError) as error:
        raise WrongUse(f"{error}") from None
    return outputs, {}


@contextmanager
def _standard_error(said: list[str]) -> Iterator[None]:
    """Gathers what native code prints there."""
    before = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said.append(file.read().decode("utf-8", "replace"))
