"""Decodes many picture or sound files, in this process or spread over workers that may die without harm."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nas.training.data.files import Files, open_files
from nas.training.data.log_mel import LogMel
from nas.training.data.pictures import CRASHED, UnreadablePictureError, decode_file
from nas.training.data.sounds import decode_sound
from search_spaces.core.errors import FitnasError

READY = DECODED = b"\x01"
REFUSED = b"\x00"  # the worker's answers, see decoding_worker
_MODULE = "nas.training.data.decoding_worker"
_MOST_CRASHES = 20


def decode_files(
    source: Path, names: list[str], channels: int, size: tuple[int, int], workers: int, recipe: LogMel | None = None
) -> Iterator[NDArray[np.uint8] | str]:
    """Each picture of a folder or zip as uint8 (channels, height, width), or the reason why not, in order of `names`.

    With a `recipe` the files are sounds, and what is returned are their spectrograms.
    `workers` processes share the work, 0 means this process. The result does not depend on their number, except that a
    picture that kills its decoder is named with a reason where there are workers.
    """
    workers = min(workers, len(names))
    if workers < 1:
        files = open_files(source)
        try:
            yield from decode_inline(files, names, channels, size, recipe)
        finally:
            files.close()
        return
    shares = [_Share(source, names[first::workers], channels, size, recipe) for first in range(workers)]
    try:
        for share in shares:
            share.start()
        for index in range(len(names)):
            yield shares[index % workers].next()
    finally:
        for share in shares:
            share.stop()


def decode_inline(
    files: Files, names: list[str], channels: int, size: tuple[int, int], recipe: LogMel | None = None
) -> Iterator[NDArray[np.uint8] | str]:
    """Each picture as uint8 (channels, height, width), or the reason why not, in the order of the names."""
    for name in names:
        open_file = partial(files.open, name)
        try:
            yield decode_file(open_file, channels, size) if recipe is None else decode_sound(open_file, recipe, size)
        except UnreadablePictureError as error:
            yield error.reason


class _Share:
    """One worker's pictures; a worker that dies is replaced, and a picture on which two die is left out.

    Every worker waits in its pipe until its next picture is asked for, so nothing piles up in memory.
    """

    def __init__(
        self, source: Path, names: list[str], channels: int, size: tuple[int, int], recipe: LogMel | None = None
    ) -> None:
        constants = None if recipe is None else asdict(recipe)
        shape = {"channels": channels, "height": size[0], "width": size[1]}
        self._task = {"source": str(source), **shape, "recipe": constants}
        self._names = names
        self._shape = (channels, *size)
        self._done = 0
        self._crashes = 0
        self._suspect = -1
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, first: int = 0) -> None:
        """Starts a worker on the pictures from index `first` on."""
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        lines = [json.dumps(self._task), *(json.dumps(name) for name in self._names[first:])]
        try:
            with _pipe(self._process.stdin) as pipe:
                pipe.write("\n".join(lines).encode())
        except BrokenPipeError:
            pass  # it died at once, which the missing sign of life below tells
        if _pipe(self._process.stdout).read(1) != READY:
            raise FitnasError(
                "a worker that decodes pictures does not start; "
                f"type: {sys.executable} -m {_MODULE} < /dev/null   to see why, or use no workers"
            )

    def next(self) -> NDArray[np.uint8] | str:
        """The next picture of this share, or the reason why it is left out."""
        result = self._receive()
        while result is None:
            result = self._after_death()
        self._done += 1
        return result

    def _after_death(self) -> NDArray[np.uint8] | str | None:
        """Starts a new worker on the same picture; where that was done before, on the next one."""
        self._crashes += 1
        name = self._names[self._done]
        if self._crashes > _MOST_CRASHES:
            raise FitnasError(
                f"workers that decode pictures died {self._crashes} times, last on {name!r}; free memory or drop it"
            )
        self.stop()
        if self._suspect != self._done:
            self._suspect = self._done
            self.start(self._done)
            return self._receive()
        if self._done + 1 < len(self._names):
            self.start(self._done + 1)
        return CRASHED

    def stop(self) -> None:
        """Ends the worker, wherever it is."""
        if self._process is None:
            return
        self._process.kill()
        _pipe(self._process.stdout).close()
        self._process.wait()
        self._process = None

    def _receive(self) -> NDArray[np.uint8] | str | None:
        """What the worker says about one picture; None where it died."""
        if self._process is None:
            return None
        pipe = _pipe(self._process.stdout)
        kind = pipe.read(1)
        if kind == DECODED:
            expected = int(np.prod(self._shape))
            pixels = pipe.read(expected)
            return np.frombuffer(pixels, np.uint8).reshape(self._shape) if len(pixels) == expected else None
        length = pipe.read(1) if kind else b""
        return pipe.read(length[0]).decode() if length else None


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """The stream of a process that was started with pipes."""
    if stream is None:
        raise FitnasError("a worker that decodes pictures has no pipe; use no workers")
    return stream
