"""The runs that somebody asked for lately, each once."""

import threading
from collections import OrderedDict

from nas.run import StoredRun
from nas.service.live.live_run import LiveRun
from nas.service.security.names import run_directory
from nas.service.settings import ServiceSettings
from search_spaces.core.errors import NotFound

MOST_RUNS = 24
"""In memory at once; a run of 10,000 trials takes about 30 MB."""


class LiveRuns:
    """`of` gives a run up to date; the one that was asked for longest ago makes room."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._root = settings.root
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()

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

    def forget(self, name: str) -> None:
        """A run that goes, or gets another name."""
        with self._lock:
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
