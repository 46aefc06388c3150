"""One run in memory, brought up to date by reading new rows only. It never writes to a run."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nas.core.pareto import ParetoFront
from nas.core.trial import Trial
from nas.reporting.history import GrowingFront, History
from nas.reporting.run_view import DOMINATED, FAILED, FRONT, OVER_BUDGET
from nas.run import UNFINISHED, StoredRun
from nas.storage.database import sqlite_url
from nas.storage.store import RunRecord, RunState, Store
from search_spaces.core.errors import WrongUse

_LEAST_SECONDS_BETWEEN_READS = 0.25
_FIXED = ("number", "id", "state", "kind", "patches", "split", "seconds", "error")


@dataclass(frozen=True)
class Page:
    """Some trials as columns and rows; `cursor` names the place behind them, `more` whether others follow."""

    cursor: str
    more: bool
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"cursor": self.cursor, "more": self.more, "columns": list(self.columns), "rows": list(self.rows)}


class LiveRun:
    """A run as it was read last. Close it behind the last use; all methods may be called from any thread.

    Trials are recorded out of order within a small lag, so that what is new is found above a mark below which every
    number is known. `version` changes whenever anything did.
    """

    def __init__(self, run: StoredRun, clock: Callable[[], float] = time.monotonic) -> None:
        self.run, self._clock = run, clock
        self._lock = threading.RLock()
        self._store = Store(run.config.store or sqlite_url(run.directory.database), create=False)
        self._life = secrets.token_hex(4)  # a cursor of an earlier life begins anew
        self.trials: list[Trial] = []
        self._by_number: dict[int, Trial] = {}
        self._mark, self._read = 0, float("-inf")
        self._metrics: dict[str, None] = {}
        self._growing = GrowingFront(run.parts.objectives, run.reference, run.parts.budget)
        self._on_front: frozenset[int] = frozenset()
        self.record: RunRecord = self._store.run(run.name)
        self._file = _identity(run)
        self.version = 0
        self._pace: list[tuple[float, int]] = []  # when trials were seen to come, and how many there were

    def close(self) -> None:
        """Gives the database back."""
        self._store.close()

    def was_replaced(self) -> bool:
        """Whether another run has taken the name since: its file is another one."""
        return self._file != _identity(self.run)

    def refresh(self, at_once: bool = False) -> "LiveRun":
        """Reads what is new, at most a few times a second unless `at_once`; `NotFound` where the run is gone."""
        with self._lock:
            if at_once or self._clock() - self._read >= _LEAST_SECONDS_BETWEEN_READS:
                self._take()
                self._read = self._clock()
        return self

    def _take(self) -> None:
        record = self._store.run(self.run.name)
        found = self._store.trials_from(self.run.name, self._mark)
        fresh = [trial for trial in found if trial.number not in self._by_number]
        if record == self.record and not fresh:
            return
        self.record = record
        for trial in fresh:
            self._by_number[trial.number] = trial
            self._metrics |= dict.fromkeys(trial.metrics)
        self.trials += fresh
        while self._mark in self._by_number:
            self._mark += 1
        if self._growing.add(fresh):
            self._on_front = frozenset(trial.number for trial in self._growing.front)
        self.version += 1
        if fresh:
            self._pace = [*self._pace[:1], (self._clock(), len(self.trials))]

    @property
    def eta_seconds(self) -> float | None:
        """Until all trials are done at the pace seen here; None before two steps were seen, and where it stands."""
        if len(self._pace) < 2 or self.record.state != "searching":
            return None
        (began, first), (last, count) = self._pace
        return (last - began) / (count - first) * max(self.run.config.trials - count, 0)

    @property
    def state(self) -> RunState:
        """As `StoredRun.state`."""
        state = self.record.state
        return "interrupted" if state in UNFINISHED and self.run.directory.was_abandoned() else state

    @property
    def etag(self) -> str:
        """Of everything that is told of the run."""
        return f'"{self._life}-{self.version}"'

    @property
    def front(self) -> ParetoFront:
        """Of the trials read so far."""
        return self._growing.front

    @property
    def seconds(self) -> float:
        """That evaluations took, summed."""
        return self._growing.seconds

    def history(self, most: int = 400) -> History:
        """The hypervolume's; of more changes than `most` so many, evenly spread."""
        with self._lock:
            return self._growing.history(most)

    @cached_property
    def _limits(self) -> Mapping[str, float]:
        return self.run.parts.budget.limits

    def kind(self, trial: Trial) -> str:
        """front, dominated, over budget or failed, as of now."""
        if trial.state == "failed":
            return FAILED
        if trial.number in self._on_front:
            return FRONT
        if not self._limits:
            return DOMINATED
        values = {column: [trial.metrics.get(column, float("nan"))] for column in self._limits}
        return DOMINATED if bool(self.run.parts.budget.admits(values)[0]) else OVER_BUDGET

    @property
    def metric_columns(self) -> list[str]:
        """Those that any trial has, objectives first."""
        objectives = [o.column for o in self.run.parts.objectives if o.column in self._metrics]
        return list(dict.fromkeys([*objectives, *self._metrics]))

    def page(self, after: str | None = None, limit: int = 2000, options: bool = False) -> Page:
        """The trials behind a cursor, in the order in which they were seen; from the first without one, or with one
        that this service did not give. `WrongUse` for what is no cursor.
        """
        with self._lock:
            start = self._place(after)
            some = self.trials[start : start + limit]
            choices = [choice.name for choice in self.run.parts.space.choices] if options else []
            metrics = self.metric_columns
            rows = [self._row(trial, metrics, choices) for trial in some]
            end = start + len(some)
            names = [*_FIXED, *metrics, *(f"choice.{name}" for name in choices)]
            return Page(f"{self._life}-{end}", end < len(self.trials), names, rows)

    def _row(self, trial: Trial, metrics: Sequence[str], choices: Sequence[str]) -> list[Any]:
        options = trial.architecture.options
        how = (trial.patches, trial.split, round(trial.seconds, 4), trial.error)
        fixed = (trial.number, trial.architecture.id, trial.state, self.kind(trial), *how)
        return [*fixed, *(trial.metrics.get(name) for name in metrics), *(options.get(name) for name in choices)]

    def _place(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        life, _, place = cursor.partition("-")
        if not (life and place.isdecimal()):
            raise WrongUse(
                f"after: this is no cursor of trials: {cursor[:60]!r}; leave it away to begin with the first"
            )
        return min(int(place), len(self.trials)) if life == self._life else 0

    def at_end(self, cursor: str) -> bool:
        """Whether nothing lies behind a cursor of this life."""
        return cursor == f"{self._life}-{len(self.trials)}"

    def picked(self, which: str) -> Trial:
        """As `StoredRun.pick`, from memory."""
        with self._lock:
            if which in ("best", "knee"):
                return self.front.best() if which == "best" else self.front.knee()
            found = self._by_number.get(int(which)) if which.isdecimal() and len(which) < 9 else None
            return found if found is not None else self.run.pick(which)


def _identity(run: StoredRun) -> int | None:
    """Of the run's own database file; None in a shared database."""
    try:
        return run.directory.database.stat().st_ino
    except OSError:
        return None
