"""What the process of a service's job runs: one command of `nas`, and behind it its exit code in a file.

python -m nas.cli.job FOLDER
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from nas.service.jobs import process
from nas.service.jobs.folder import ANOTHER_WORKS, JobFolder
from nas.storage.files import write_atomically
from search_spaces.core.errors import FitnasError


def run(folder: JobFolder) -> int:
    """Runs the folder's command in this process; killed, it leaves no exit code behind, and that is how it is told.

    Of two processes for one job the later one leaves at once, with `ANOTHER_WORKS`: a service that was killed just when
    it had started one may have started the other.
    """
    lock = FileLock(folder.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return ANOTHER_WORKS
    code = 1
    try:
        write_atomically(folder.process, json.dumps(process.this()))
        from nas.cli.main import main  # behind the note: what takes long comes after it

        code = main(json.loads(folder.command.read_text(encoding="utf-8")))
    finally:
        with suppress(FitnasError):  # a full disk: a service that is its parent learns the code from the system
            write_atomically(folder.exit, json.dumps({"code": code}))
        lock.release()
    return code


if __name__ == "__main__":
    sys.exit(run(JobFolder(Path(sys.argv[1]))))
