"""A Ray cluster of its own for one search, in a process of its own. Does not import Ray."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search_spaces.core.errors import FitnasError

_LONGEST_END_S = 15.0
_PROGRAM = """
import json, shutil, sys
import ray
options = json.loads(sys.argv[1])
ray.init("local", include_dashboard=False, log_to_driver=False, **options)
print("address", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
shutil.rmtree(options["_temp_dir"], ignore_errors=True)
"""


@contextmanager
def private_cluster(workers: int, store_bytes: int, folder: Path) -> Iterator[str]:
    """The address of a private cluster, held by a process in a session of its own.

    So a signal that a terminal, `timeout` or a batch system sends to the whole process group reaches the search, which
    saves, and not its workers. The process ends the cluster and deletes the folder when its input closes: at the end of
    the search, or when the search is killed.
    """
    options = {"num_cpus": workers, "object_store_memory": store_bytes, "_temp_dir": str(folder)}
    errors = folder / "cluster.err"
    with errors.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            start_new_session=True,
        )
    with process:
        try:
            yield _address_of(process, errors)
        finally:
            _end(process)


def _address_of(process: "subprocess.Popen[bytes]", errors: Path) -> str:
    for line in process.stdout or ():
        if line.startswith(b"address "):
            return line.split()[1].decode()
    process.wait()
    last = errors.read_text(errors="replace").strip().splitlines()[-1:]
    raise FitnasError(f"Ray could not start: {' '.join(last) or 'no message'}. --backend inline does without it")


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_LONGEST_END_S)
    except subprocess.TimeoutExpired:
        process.kill()  # Ray's own processes die with it
