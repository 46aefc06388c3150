"""The folder of one run: its name, its files, and the lock that keeps a second driver out."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nas.core.names import checked_run_name
from nas.storage.files import os_errors_explained, remove_leftovers, write_atomically
from search_spaces.core.errors import NotFound, Refused, WrongUse, did_you_mean, shown

_LOCK = "driver.lock"
HOLDER = "driver.json"
_MARKS_OF_A_RUN = ("config.toml", "run.db")
# The packages whose version can change a result or a file format.
_PACKAGES = (
    "fitnas", "torch", "torchvision", "timm", "numpy", "ray", "scikit-learn", "pydantic", "sqlalchemy", "moocore",
    "pandas", "pyarrow", "pillow", "safetensors",
)  # fmt: skip


class RunDirectory:
    """`runs/<name>/` and the paths in it. Making the object touches nothing; see `create` and `open`."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    @property
    def name(self) -> str:
        """The run's name: the folder's."""
        return self.path.name

    @property
    def config(self) -> Path:
        """`config.toml`: the resolved configuration."""
        return self.path / "config.toml"

    @property
    def environment(self) -> Path:
        """`environment.json`: machine and versions."""
        return self.path / "environment.json"

    @property
    def database(self) -> Path:
        """`run.db`: the truth."""
        return self.path / "run.db"

    @property
    def slow_figures(self) -> Path:
        """`slow_figures.json`: what was measured of networks, so that no part of the run measures one again."""
        return self.path / "slow_figures.json"

    @property
    def predictor(self) -> Path:
        """`predictor/`: copies of what predicts latency or energy, whatever becomes of those that were named."""
        return self.path / "predictor"

    @property
    def front_latency(self) -> Path:
        """`front_latency.csv`: what was measured of the front at the end, where a predictor promised it."""
        return self.path / "front_latency.csv"

    @property
    def front(self) -> Path:
        """`pareto.json`: an export."""
        return self.path / "pareto.json"

    @property
    def trials(self) -> Path:
        """`trials.parquet`: an export."""
        return self.path / "trials.parquet"

    @property
    def checkpoints(self) -> Path:
        """`checkpoints/`, made on first use."""
        return self._folder("checkpoints")

    @property
    def export(self) -> Path:
        """`export/`, made on first use."""
        return self._folder("export")

    @property
    def report(self) -> Path:
        """`report.html`."""
        return self.path / "report.html"

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        with os_errors_explained(folder, self.name):
            folder.mkdir(exist_ok=True)
        return folder

    @classmethod
    def create(cls, root: Path, name: str | None, space: str, *, force: bool = False) -> "RunDirectory":
        """A new, empty run folder under `root` (made where missing).

        Without a name the run is numbered after its space: mcunetv2-001, then one more than the highest there is. An
        existing run is `WrongUse`; with `force` it is deleted, once its lock is held (`Refused` while a driver works
        on it). A folder with files that is no run is never deleted.
        """
        with os_errors_explained(root, name or "RUN"):
            root.mkdir(parents=True, exist_ok=True)
            if name is None:
                return cls._create_numbered(root, checked_run_name(space))
            run = cls(root / checked_run_name(name))
            if run.path.exists() or run.path.is_symlink():
                run._make_room(force)
            run.path.mkdir(exist_ok=True)
        return run

    @classmethod
    def _create_numbered(cls, root: Path, space: str) -> "RunDirectory":
        while True:
            taken = [re.fullmatch(re.escape(space) + r"-(\d+)", entry.name) for entry in root.iterdir()]
            number = 1 + max((int(match[1]) for match in taken if match), default=0)
            run = cls(root / checked_run_name(f"{space}-{number:03d}"))
            try:
                run.path.mkdir()
            except FileExistsError:
                continue  # another search took the number in between
            return run

    def _make_room(self, force: bool) -> None:
        """Empties this existing folder where that is allowed."""
        if not self.path.is_dir():
            raise WrongUse(f"{self.path} is not a folder; choose another --run")
        if not any(self.path.iterdir()):
            return
        if not self.is_run() and not (self.path / _LOCK).exists():
            raise WrongUse(f"{self.path} holds files but no run; choose another --run or move them away")
        if not force:
            raise WrongUse(
                f"the run '{self.name}' exists already ({self.path}); go on with: nas resume {self.name}, or choose "
                "another --run, or replace it with --force"
            )
        with self.lock():
            self._remove_content()

    def _remove_content(self) -> None:
        """Deletes all but the lock, which is held: without its file a second driver would lock a new one."""
        for entry in self.path.iterdir():
            if entry.name in (_LOCK, HOLDER):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    @classmethod
    def open(cls, root: Path, name: str) -> "RunDirectory":
        """The run of that name under `root`.

        `WrongUse` where the name is not allowed, `NotFound` with the nearest name where there is no such run.
        """
        run = cls(root / checked_run_name(name))
        if run.is_run():
            return run
        if run.path.is_dir():
            raise NotFound(
                f"{run.path} holds no run: it was stopped before its configuration was written; start it again with: "
                f"nas search --run {name} ..."
            )
        existing = cls.names(root)
        listed = did_you_mean(name, existing) or ("; list them with: nas list" if existing else "; there are none yet")
        raise NotFound(f"there is no run '{name}' in {root}{listed}")

    @classmethod
    def names(cls, root: Path) -> list[str]:
        """The names of the runs under `root`, sorted; none where it does not exist."""
        if not root.is_dir():
            return []
        with os_errors_explained(root):
            return sorted(entry.name for entry in root.iterdir() if cls(entry).is_run())

    def is_run(self) -> bool:
        """Whether the folder holds a configuration or a database."""
        return any((self.path / mark).is_file() for mark in _MARKS_OF_A_RUN)

    def size_bytes(self) -> int:
        """What the files of the run take, links not followed; a file that goes meanwhile counts as nothing."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                with suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - ten times as fast
        return total

    def delete(self, first: Callable[[], None] | None = None) -> None:
        """Removes the run and its folder; `Refused` while a driver works on it, `WrongUse` where it is no run.

        `first` is called once no driver can begin any more and before any file goes: what the run has elsewhere. Where
        it raises, the folder stays as it is.
        """
        if not self.is_run():
            raise WrongUse(f"{self.path} holds no run; nothing was deleted")
        with os_errors_explained(self.path, self.name):
            with self.lock():
                if first is not None:
                    first()
                self._remove_content()
            shutil.rmtree(self.path)

    def write(self, path: Path, data: bytes | str) -> None:
        """`write_atomically` with this run's name in the advice."""
        write_atomically(path, data, self.name)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the run for one driver; `Refused`, with the process and host of the other, where it is held.

        The lock is the operating system's and dies with the process, also by kill -9: there is nothing to clean up.
        Only its note (who holds it) may stay behind, and is overwritten. Leftovers of a killed writer are removed.
        """
        lock = FileLock(self.path / _LOCK, timeout=0, thread_local=False)
        with os_errors_explained(self.path, self.name):
            try:
                lock.acquire()
            except Timeout:
                raise Refused(self._held_message()) from None
        try:
            remove_leftovers(self.path)
            self.write(self.path / HOLDER, json.dumps(_this_process()))
            yield
        finally:
            (self.path / HOLDER).unlink(missing_ok=True)
            lock.release()

    def _held_message(self) -> str:
        try:
            holder = json.loads((self.path / HOLDER).read_text(encoding="utf-8"))
            who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            who = "another process"  # it has the lock but has not written its note yet
        return (
            f"the run '{self.name}' is driven by {who}; a run has one driver at a time: wait for it or stop it, then "
            f"type: nas resume {self.name}"
        )

    def was_abandoned(self) -> bool:
        """Whether the last driver died without a word: nobody holds the run, or a process of this host that is gone.

        A driver on another host counts as alive.
        """
        try:
            holder = json.loads((self.path / HOLDER).read_text(encoding="utf-8"))
            host, pid = holder["host"], int(holder["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return not (self.path / HOLDER).exists()
        return host == socket.gethostname() and not _is_alive(pid)

    def write_environment(self, extra: Mapping[str, Any] | None = None) -> None:
        """Writes `environment.json`: Python, machine, processors and package versions (null where not installed)."""
        document = _environment() | dict(extra or {})
        self.write(self.environment, json.dumps(document, indent=2) + "\n")


def run_directory_at(path: Path) -> RunDirectory:
    """The run in a folder given by its path, as in `nas.load("runs/signs")`; errors as `RunDirectory.open`."""
    if "\0" in str(path):
        raise WrongUse(f"{shown(str(path))} is not a path")
    absolute = Path(path).absolute()
    return RunDirectory.open(absolute.parent, absolute.name)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # there, signal 0 is not a question
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _this_process() -> dict[str, Any]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _environment() -> dict[str, Any]:
    versions: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "processors_usable": usable,
        "packages": versions,
    }
