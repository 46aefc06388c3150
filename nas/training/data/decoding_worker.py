"""A child process that decodes picture files: `python -m nas.training.data.decoding_worker`.

Foreign files are decoded outside the main process: two of them use two cores, and a picture that kills a decoder kills
only its worker. Standard input holds one JSON line {"source", "channels", "height", "width"}, then one JSON string a
line, the file names. Standard output starts with one byte 1; then comes, for each name in order, either one byte 1 and
channels x height x width bytes of pixels, or one byte 0, one byte with a length, and that many bytes of reason.
"""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.training.data.files import Files, open_files
from nas.training.data.pictures import UnreadablePictureError, decode_file

READY = DECODED = b"\x01"
REFUSED = b"\x00"


def decode_inline(
    files: Files, names: list[str], channels: int, size: tuple[int, int]
) -> Iterator[NDArray[np.uint8] | str]:
    """Each picture as uint8 (channels, height, width), or the reason why not, in the order of the names."""
    for name in names:
        try:
            yield decode_file(partial(files.open, name), channels, size)
        except UnreadablePictureError as error:
            yield error.reason


def main() -> None:
    """Serves one list of names and ends."""
    task, *names = [json.loads(line) for line in sys.stdin.buffer.read().splitlines()]
    files = open_files(Path(task["source"]))
    out = sys.stdout.buffer
    out.write(READY)
    out.flush()
    for result in decode_inline(files, names, task["channels"], (task["height"], task["width"])):
        if isinstance(result, str):
            reason = result.encode()[:255]
            out.write(REFUSED + bytes([len(reason)]) + reason)
        else:
            out.write(DECODED + result.tobytes())
        out.flush()


if __name__ == "__main__":
    main()
