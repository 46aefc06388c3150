"""A child process that decodes picture files: `python -m nas.training.data.decoding_worker`.

Foreign files are decoded outside the main process: two of them use two cores, and a picture that kills a decoder kills
only its worker. Standard input holds one JSON line {"source", "channels", "height", "width", "recipe"}, then one JSON
string a line, the file names. Standard output starts with one byte 1; then comes, for each name in order, either one
byte 1 and channels x height x width bytes of pixels, or one byte 0, one byte with a length, and that many bytes of
reason. `recipe` holds the constants of the log-mel recipe where the files are sounds, else null.
"""

import json
import sys
from pathlib import Path

from nas.training.data.decoding import DECODED, READY, REFUSED, decode_inline
from nas.training.data.files import open_files
from nas.training.data.log_mel import LogMel


def main() -> None:
    """Serves one list of names and ends."""
    task, *names = [json.loads(line) for line in sys.stdin.buffer.read().splitlines()]
    files = open_files(Path(task["source"]))
    out = sys.stdout.buffer
    out.write(READY)
    out.flush()
    recipe = LogMel(**task["recipe"]) if task["recipe"] else None
    for result in decode_inline(files, names, task["channels"], (task["height"], task["width"]), recipe):
        if isinstance(result, str):
            reason = result.encode()[:255]
            out.write(REFUSED + bytes([len(reason)]) + reason)
        else:
            out.write(DECODED + result.tobytes())
        out.flush()


if __name__ == "__main__":
    main()
