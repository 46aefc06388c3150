"""Calls a function in a process of its own with limits on memory, time and output: for files that others made.

The child prints one JSON document, so that nothing which it made up is executed here. Its limits are the system's
(`resource`), where there are such; time is limited everywhere.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from search_spaces.core.errors import FitnasError, WrongUse

MEMORY_BYTES = 1 << 30
SECONDS = 60.0
_OUTPUT_BYTES = 64 << 20
_WRONG_USE = 2


def call(
    module: str, function: str, *arguments: str, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES
) -> Any:
    """What `function` of `module` returns for these texts, a JSON value.

    `WrongUse` with the function's own words where it raises that, or where it passes a limit or its process dies, which
    is the file's doing; `FitnasError` for any other error in it.
    """
    command = [sys.executable, "-m", "nas.isolated", str(memory_bytes), str(int(seconds) + 1), module, function]
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(
                [*command, *arguments], stdout=out, stderr=err, stdin=subprocess.DEVNULL, timeout=seconds, check=False,
                env=os.environ | alone,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise WrongUse(
                f"reading took more than {seconds:.0f} s and was stopped; the file is damaged or too large"
            ) from None
        out.seek(0)
        err.seek(0)
        said = err.read(1 << 16).decode("utf-8", "replace").strip()
        answer = out.read(_OUTPUT_BYTES)
        if done.returncode == 0 and len(answer) < _OUTPUT_BYTES:
            return json.loads(answer)
    if len(answer) >= _OUTPUT_BYTES:
        raise WrongUse(
            f"what was read is more than {_OUTPUT_BYTES >> 20} MiB of text; the file is damaged or too large"
        )
    if done.returncode == _WRONG_USE:
        raise WrongUse(said)
    if done.returncode < 0:
        raise WrongUse(f"reading ended with signal {-done.returncode}: the file is damaged or too large")
    last = said.splitlines()[-1] if said else f"exit code {done.returncode}"
    raise FitnasError(f"reading failed: {last}")


def _limit(memory_bytes: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    for what, most in (("RLIMIT_AS", memory_bytes), ("RLIMIT_CPU", seconds), ("RLIMIT_FSIZE", _OUTPUT_BYTES)):
        kind = getattr(resource, what)
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _main(memory_bytes: str, seconds: str, module: str, function: str, *arguments: str) -> int:
    _limit(int(memory_bytes), int(seconds))
    try:
        answer = getattr(importlib.import_module(module), function)(*arguments)
    except WrongUse as error:
        print(error, file=sys.stderr)
        return _WRONG_USE
    except MemoryError:
        print(f"the file needs more than {int(memory_bytes) >> 20} MiB to be read", file=sys.stderr)
        return _WRONG_USE
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
