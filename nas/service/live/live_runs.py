"""The runs that somebody asked for lately, each once."""

import threading
from collections import OrderedDict
from typing import Any

from nas.run import StoredRun
from nas.service.live.live_run import LiveRun
from nas.service.live.summary import figures
from nas.service.security.names import run_directory
from nas.service.settings import ServiceSettings
from nas.storage.run_directory import RunDirectory
from search_spaces.core.errors import FitnasError, NotFound

_Stamp = tuple[tuple[int, int], ...]

MOST_RUNS = 24
"""In memory at once; a run of 10,000 trials takes about 30 MB."""


class LiveRuns:
    """`of` gives a run up to date; the one that was asked for longest ago makes room."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._root = settings.root
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()
        self._figures: dict[str, tuple[_Stamp | None, dict[str, Any]]] = {}

    def of(self, name: str, at_once: bool = False) -> LiveRun:
        """`NotFound`, `WrongUse` as `RunDirectory.open`; what a damaged run says otherwise."""
        directory = run_directory(self._root, name)
        with self._lock:
            known = self._runs.get(name)
            if known is not None and known.was_replaced():
                self._drop(name)
                known = None
            if known is None:
                known = LiveRun(StoredRun(directory))
                self._runs[name] = known
            self._runs.move_to_end(name)
            while len(self._runs) > MOST_RUNS:
                self._drop(next(iter(self._runs)))
        try:
            return known.refresh(at_once)
        except NotFound:
            with self._lock:
                self._drop(name)
            raise

    def figures(self, name: str) -> dict[str, Any]:
        """Of one run for a list; those of a run whose files did not change are remembered. A run that cannot be read
        says why in `state`.
        """
        try:
            stamp = _stamp(run_directory(self._root, name))
            known = self._figures.get(name)
            if known is None or stamp is None or known[0] != stamp:
                known = stamp, figures(self.of(name, at_once=True))
                self._figures[name] = known
            return known[1]
        except FitnasError as error:
            return {"name": name, "state": f"unreadable: {error}"}

    def forget(self, name: str) -> None:
        """A run that goes, or gets another name."""
        with self._lock:
            self._figures.pop(name, None)
            self._drop(name)

    def close(self) -> None:
        """Forgets all."""
        with self._lock:
            for name in list(self._runs):
                self._drop(name)

    def _drop(self, name: str) -> None:
        known = self._runs.pop(name, None)
        if known is not None:
            known.close()


def _stamp(directory: RunDirectory) -> _Stamp | None:
    """Changes whenever the run's database or driver does; None where the trials are in a shared database."""
    marks = []
    for name in ("run.db", "run.db-wal", "driver.json"):
        try:
            found = (directory.path / name).stat()
            marks.append((found.st_ino, found.st_mtime_ns))
        except OSError:
            marks.append((0, 0))
    return tuple(marks) if marks[0][0] else None
