"""What a service is told when it starts."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from nas.execution.backend import usable_cores
from nas.storage.database import sqlite_url
from nas.storage.files import os_errors_explained, write_atomically
from nas.storage.service_store import ServiceStore

LOOPBACK = ("127.0.0.1", "localhost", "::1")
STATE_FOLDER = ".service"
_CORES_A_JOB, _BYTES_A_JOB = 2, 4 << 30


@dataclass(frozen=True)
class ServiceSettings:
    """Attributes:
    root: folder of the runs; what the service itself keeps lies in `.service` below it.
    host, port: where it listens.
    store: URL of the database of runs, tokens and jobs; None: a SQLite file a run, and one of the service.
    ray_address: cluster for the evaluations; None: a local one for each run.
    token_file: where the first token is read from, or written to.
    hosts: names under which browsers may ask, beside those of this machine's loopback.
    at_once: jobs that run at the same time; more wait.
    most_upload_bytes: of the file of a data set.
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = 8080
    store: str | None = None
    ray_address: str | None = None
    token_file: Path | None = None
    hosts: tuple[str, ...] = ()
    at_once: int = 1
    most_upload_bytes: int = 256 << 20

    @property
    def is_local(self) -> bool:
        """Whether nobody but this machine can ask."""
        return self.host in LOOPBACK

    @property
    def state(self) -> Path:
        """The folder of what the service keeps for itself."""
        return self.root / STATE_FOLDER


def make_state_folder(settings: ServiceSettings) -> None:
    """For its owner alone: configurations of jobs in it may hold a password of the database."""
    with os_errors_explained(settings.state):
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)


def open_store(settings: ServiceSettings) -> ServiceStore:
    """The service's own tables: in the database that it was given, else in a file of its own."""
    make_state_folder(settings)
    return ServiceStore(settings.store or sqlite_url(settings.state / "service.db"), _place(settings))


def _place(settings: ServiceSettings) -> str:
    """What tells this folder's service from others in a shared database; it stays, whatever the machine is called."""
    path = settings.state / "place"
    if not path.exists():
        write_atomically(path, secrets.token_hex(8))
    with os_errors_explained(path):
        return path.read_text(encoding="utf-8")


def fitting_jobs() -> int:
    """How many jobs this machine bears at once: one for each two processors that may be used, and for each 4 GiB of
    memory, that of a container where it is in one; at least one.
    """
    memory = min(_physical_bytes(), _container_bytes())
    return max(min(usable_cores() // _CORES_A_JOB, int(memory // _BYTES_A_JOB)), 1)


def _physical_bytes() -> float:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows does not tell
        return float("inf")


def _container_bytes() -> float:
    """The limit of this process's control group (version 2); without end where there is none."""
    try:
        return float(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip().replace("max", "inf"))
    except (OSError, ValueError):
        return float("inf")
