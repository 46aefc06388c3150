"""Which runs there are, and a row of each: read again only where something has changed."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.run import StoredRun
from nas.storage.run_directory import RunDirectory
from nas.storage.store import RunRecord, Store
from search_spaces.core.errors import FitnasError, NotFound, WrongUse, shown

_NOT_YET = "9"  # sorts behind every time
_TICK_NS = 2_000_000_000  # a file that changed so shortly before it was read may change again within the same tick


@dataclass(frozen=True)
class Entry:
    """A run as far as the list needs it before a page of it is made. `problem` says why it cannot be read."""

    name: str
    space: str
    state: str
    created: str
    updated: str
    problem: str | None = None

    @property
    def is_queued(self) -> bool:
        """Whether there is nothing of it but a job."""
        return self.created == _NOT_YET

    @property
    def place(self) -> tuple[str, str]:
        """By what the list is sorted, the greatest first: those that cannot be read come last."""
        return self.created, self.name

    @property
    def cursor(self) -> str:
        """What `behind` takes."""
        return f"{self.created}~{self.name}"


@dataclass(frozen=True)
class Wanted:
    """What a list is asked for; None: whatever. `text` is looked for in name, space, note and tags."""

    state: str | None = None
    space: str | None = None
    tag: str | None = None
    text: str | None = None

    def holds(self, entry: Entry, noted: Mapping[str, Any]) -> bool:
        """Whether a run is among those that are wanted."""
        said = " ".join([entry.name, entry.space, noted["note"], *noted["tags"]]).casefold()
        return (
            self.state in (None, entry.state)
            and self.space in (None, entry.space)
            and (self.tag is None or self.tag in noted["tags"])
            and (self.text is None or self.text.casefold() in said)
        )


class Listing:
    """Looks at the runs of a folder, and of a shared database where there is one. For one thread at a time."""

    def __init__(self, root: Path, store: str | None) -> None:
        self._root = root
        self._store = store
        self._known: dict[str, tuple[tuple[int, ...], RunRecord]] = {}

    def entries(self) -> list[Entry]:
        """The newest first; a run that cannot be read stands among them and says why."""
        names = [name for name in RunDirectory.names(self._root) if not (self._root / name).is_symlink()]
        self._known = {name: known for name, known in self._known.items() if name in set(names)}
        found = [self._entry(name) for name in names]
        found += self._shared({entry.name for entry in found})
        return sorted(found, key=lambda entry: entry.place, reverse=True)

    def _entry(self, name: str) -> Entry:
        run = StoredRun(RunDirectory(self._root / name))
        try:
            record = self._record(run)
            return _entry(record, run.state_of(record))
        except (FitnasError, OSError) as error:
            return Entry(name, "", "unreadable", "", "", str(error))

    def _record(self, run: StoredRun) -> RunRecord:
        key, known = _changed_ns(run.directory.database), self._known.get(run.name)
        if known is not None and known[0] == key:
            return known[1]
        record = run.record
        if key and time.time_ns() - max(key) > _TICK_NS:
            self._known[run.name] = key, record
        return record

    def _shared(self, here: set[str]) -> list[Entry]:
        if self._store is None:
            return []
        try:
            with Store(self._store, create=False) as store:
                return [_entry(record, record.state) for record in store.runs() if record.name not in here]
        except NotFound:
            return []  # nothing was ever searched into it


def _entry(record: RunRecord, state: str) -> Entry:
    return Entry(record.name, json.loads(record.config_json)["space"], state, record.created, record.updated)


def _changed_ns(database: Path) -> tuple[int, ...]:
    """When a SQLite database and what it has not yet taken over of its log were written; empty without a file."""
    try:
        log = database.with_name(f"{database.name}-wal")
        return tuple(path.stat().st_mtime_ns for path in (database, log) if path.exists())
    except FileNotFoundError:
        return ()


def with_queued(entries: Sequence[Entry], runs: Iterable[str]) -> list[Entry]:
    """Before the runs there are, those that jobs wait to begin."""
    there = {entry.name for entry in entries}
    return [*(Entry(name, "", "created", _NOT_YET, "") for name in sorted(runs) if name not in there), *entries]


def behind(entries: Iterable[Entry], cursor: str) -> list[Entry]:
    """The entries that come after the place of a cursor; `WrongUse` for a text that is none."""
    created, tilde, name = cursor.partition("~")
    if not tilde:
        raise WrongUse(f"{shown(cursor)} is no cursor; give `next` of an answer, or none for the first page")
    return [entry for entry in entries if entry.place < (created, name)]
