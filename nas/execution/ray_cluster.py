"""A Ray cluster of its own for one search, held by a process of its own. Does not import Ray."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from search_spaces.core.errors import FitnasError, WrongUse

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints errors even where it is told to be silent
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours saves and stops
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",  # Tune's snapshots grow with the number of trials, and nobody reads them
}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SHORT = Path("/tmp")
_LONGEST_ANSWER_S = 5.0
_PROGRAM = """
import json, shutil, signal, sys, time
options = json.loads(sys.argv[1])
try:
    import ray
    ray.init("local", include_dashboard=False, log_to_driver=False, **options)
    try:
        print("address", ray.get_runtime_context().gcs_address, flush=True)
        sys.stdin.read()
    finally:
        signal.alarm(30)  # whatever Ray may wait for, this process ends, and Ray's own processes die with it
        ray.shutdown()
        time.sleep(1)  # its last processes still write
finally:
    shutil.rmtree(options["_temp_dir"], ignore_errors=True)
"""


class Cluster(NamedTuple):
    """Where a cluster answers, and a folder that is deleted with it."""

    address: str
    folder: Path


class PrivateCluster:
    """A private cluster that starts at once, in the background; `wait` gives it when it is up.

    The process that holds it has a session of its own. So a signal that a terminal, `timeout` or a batch system sends
    to the whole process group reaches the search, which saves, and not its workers. When its input closes, at the end
    of the search or because the search was killed, it ends the cluster and deletes its files: two seconds that nobody
    waits for.
    """

    def __init__(self, workers: int, store_bytes: int, environment: Mapping[str, str]) -> None:
        """So many cores, room for so many bytes in the object store; `environment` goes over this process's own."""
        # Ray's sockets need a short path, whatever the folder for temporary files is.
        self._folder = tempfile.mkdtemp(prefix="nas-ray-", dir=_SHORT if _SHORT.is_dir() else None)
        self.store_bytes = store_bytes
        options = {"num_cpus": workers, "object_store_memory": store_bytes, "_temp_dir": self._folder}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                env={**os.environ, **environment},
            )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._errors.close()
            raise _did_not_start(str(error)) from None

    def wait(self) -> Cluster:
        """The cluster, once it answers; `FitnasError` where it does not start."""
        address = _address_of(self._process)
        if address:
            return Cluster(address, Path(self._folder))
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        raise _did_not_start(lines[-1] if lines else "no message")

    def close(self) -> None:
        """Ends the cluster in the background."""
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()
        threading.Thread(target=self._process.wait, daemon=True, name="end of the Ray cluster").start()


def _address_of(process: "subprocess.Popen[bytes]") -> str:
    """What the program prints when the cluster is up; empty where it ends before."""
    for line in process.stdout or ():
        if line.startswith(b"address "):
            return line.split()[1].decode()
    return ""


def _did_not_start(message: str) -> FitnasError:
    return FitnasError(f"Ray could not start: {message}. --backend inline does without it")


def check_address(address: str) -> None:
    """Refuses what cannot work, at once; Ray would try for minutes and can then not be stopped by a signal."""
    if address == "auto":
        return
    if "://" in address:
        raise WrongUse(
            f"--ray-address {address}: a search holds its own loop and store, which a Ray client cannot; run nas on a "
            "machine of the cluster with --ray-address auto or HOST:PORT of its head"
        )
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()):
        raise WrongUse(f"--ray-address is auto or HOST:PORT, for example 192.168.0.10:6379; got '{address}'")
    try:
        socket.create_connection((host, int(port)), timeout=_LONGEST_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise FitnasError(f"no Ray cluster answers at '{address}' ({error}); leave --ray-address away") from None


def variables(private: bool) -> dict[str, str]:
    """What Ray reads from the environment, here and in a private cluster."""
    values = dict(_ENVIRONMENT)
    if private:
        values |= ONE_THREAD
    if private and "RAY_AUTH_MODE" not in os.environ:
        # Ray listens on every interface of the machine: without a secret anybody in the network could give orders.
        values |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return values


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets these variables, and puts back what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
