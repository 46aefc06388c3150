"""What the process of a service's job runs: one command of `nas`, and behind it its exit code in a file.

python -m nas.cli.job FOLDER
"""

import json
import sys
from pathlib import Path

from nas.cli.main import main
from nas.service.jobs.folder import JobFolder
from nas.storage.files import write_atomically


def run(folder: JobFolder) -> int:
    """Runs the folder's command in this process; killed, it leaves no exit code behind, and that is how it is told."""
    code = 1
    try:
        code = main(json.loads(folder.command.read_text(encoding="utf-8")))
    finally:
        write_atomically(folder.exit, json.dumps({"code": code}))
    return code


if __name__ == "__main__":
    sys.exit(run(JobFolder(Path(sys.argv[1]))))
