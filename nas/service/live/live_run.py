"""One run in memory: only new rows are read, and the front grows with them."""

import threading
from collections import deque
from contextlib import suppress
from datetime import datetime
from os import stat_result

import numpy as np
from numpy.typing import NDArray

from nas.core.growing_front import GrowingFront, may_join
from nas.reporting.history import History
from nas.run import UNFINISHED, StoredRun
from nas.service.live.moment import Moment
from nas.service.live.trial_table import TrialTable
from nas.storage.store import RunRecord, RunState, Store
from search_spaces.core.errors import FitnasError, NotFound

_ROWS_AT_ONCE = 500
_RECENT = 20


class Replaced(NotFound):
    """The run that was opened is gone; there may be another of its name."""


class LiveRun:
    """Holds the store of a run open and follows it. May be asked from any thread, one at a time.

    Trials are recorded out of order within a small lag: every number below the watermark is known, and rows are looked
    for from there on.
    """

    def __init__(self, run: StoredRun) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._file = _file_of(run)
        self._store: Store = run.open_store()
        try:
            self._created = self._store.run(run.name).created
            self._table = TrialTable.empty(run.parts.space.choices)
            self._front = GrowingFront(run.parts.objectives, run.reference)
        except FitnasError:
            self._store.close()
            raise
        except (ValueError, KeyError, TypeError, OSError) as error:
            self._store.close()
            raise FitnasError(f"the run '{run.name}' is damaged ({error!r}); restore it from a copy") from None
        self._watermark = 0
        self._paces: deque[tuple[float, int]] = deque(maxlen=_RECENT)
        self._moment: Moment | None = None

    def close(self) -> None:
        """Closes the store, once nobody reads."""
        with self._lock:
            self._store.close()

    def moment(self) -> Moment:
        """The run as it is now: the same object where nothing has changed. `Replaced` where it is gone."""
        with self._lock:
            record = self._record()
            state = self.run.state_of(record)
            grown = self._store.count(record.name) != len(self._table) and self._read_new(record.name)
            before = self._moment
            if before is None or grown or (before.record, before.state) != (record, state):
                self._moment = self._at(record, state)
            assert self._moment is not None
            return self._moment

    def _record(self) -> RunRecord:
        # a deleted file can be read for as long as it is open
        if self._file is not None and not _is_same(self._file, _file_of(self.run)):
            raise Replaced(f"the run '{self.run.name}' was deleted or replaced")
        record = self._store.run(self.run.name)
        if record.created != self._created:
            raise Replaced(f"the run '{self.run.name}' was replaced")
        return record

    def _read_new(self, name: str) -> bool:
        found = np.asarray(self._store.numbers_from(name, self._watermark), dtype=np.int64)
        missing = found[~np.isin(found, self._table.numbers)]
        for start in range(0, len(missing), _ROWS_AT_ONCE):
            rows = self._store.trials_of(name, missing[start : start + _ROWS_AT_ONCE].tolist())
            if rows:
                self._table = self._table.with_trials(*zip(*rows, strict=True))
        self._join(missing)
        gaps = np.flatnonzero(self._table.numbers != np.arange(len(self._table)))
        self._watermark = int(gaps[0]) if len(gaps) else len(self._table)
        return bool(len(missing))

    def _join(self, numbers: NDArray[np.int64]) -> None:
        table, parts = self._table, self.run.parts
        values, self._within, joining = may_join(table.column, table.complete, parts.objectives, parts.budget)
        new = joining & np.isin(table.numbers, numbers)
        self._front.add(table.numbers[new], values[new])

    def _at(self, record: RunRecord, state: RunState) -> Moment:
        table, front = self._table, self._front
        within = self._within if len(table) else np.empty(0, dtype=np.bool_)
        history = History.of(front, table.numbers, table.seconds)
        pace = self._pace(record, state)
        return Moment(
            self.run, record, state, table, within, front.numbers, front.knee, front.hypervolume, history, pace
        )

    def _pace(self, record: RunRecord, state: RunState) -> float | None:
        """Trials a second between the moments that were seen lately."""
        if state not in UNFINISHED or not len(self._table):
            self._paces.clear()
            return None
        self._paces.append((datetime.fromisoformat(record.updated).timestamp(), len(self._table)))
        (began, first), (now, last) = self._paces[0], self._paces[-1]
        return (last - first) / (now - began) if now > began and last > first else None


def _file_of(run: StoredRun) -> stat_result | None:
    """The run's own database as a file; None where its rows lie in a shared one."""
    with suppress(FileNotFoundError):
        return run.directory.database.stat()
    return None


def _is_same(first: stat_result, second: stat_result | None) -> bool:
    return second is not None and (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
