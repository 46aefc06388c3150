"""All runs of a service: found, listed, and the latest used kept in memory."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from anyio import from_thread

from nas.core.names import checked_run_name
from nas.run import StoredRun
from nas.service.live import documents
from nas.service.live.answers import Answer
from nas.service.live.listing import Entry, Listing
from nas.service.live.live_run import LiveRun, Replaced
from nas.service.live.moment import Moment
from nas.service.live.networks import PageReport, report
from nas.service.live.noted import Noted
from nas.service.live.shared_run import SharedRun
from nas.service.live.stream import Follower
from nas.service.security.names import run_directory
from nas.storage.run_directory import RunDirectory
from nas.storage.store import Store
from search_spaces.core.errors import FitnasError, NotFound

MOST_RUNS = 16
"""So many runs are kept in memory: of 10,000 trials each takes about 10 MB."""
FRESH_SECONDS = 0.3
"""A run that was read within so many seconds is not read again."""
_THREADS = 4
_MOST_KEPT_BYTES, _MOST_KEPT = 8 << 20, 200  # documents of a moment

_Made = TypeVar("_Made")


class LiveRuns:
    """The runs in `root`, and those of a shared database that have no folder there.

    Its methods belong to one event loop; databases and documents are read and made in threads.
    """

    def __init__(self, root: Path, store: str | None, noted: Callable[[], Noted]) -> None:
        self._root = root
        self._note = noted
        self._noted: asyncio.Task[Noted] | None = None
        self._noted_at = -1e9
        self._store_url = store
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="live")
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._listing = Listing(root, store)
        self._listed: asyncio.Task[list[Entry]] | None = None
        self._listed_at = -1e9
        self._followers: dict[str, Follower] = {}
        self._one_report = asyncio.Semaphore(1)
        self._summaries: dict[str, tuple[Entry, dict[str, Any]]] = {}

    def close(self) -> None:
        """Lets all readers go and closes every database."""
        for follower in self._followers.values():
            follower.end()
        for held in self._held.values():
            held.close()
        self._held.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, work: Callable[..., _Made], *arguments: Any) -> _Made:
        """What `work` gives, without holding up whoever else asks."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def stored(self, name: str) -> StoredRun:
        """The run of that name, not yet read; `WrongUse` for a name that is none, `NotFound` where there is no such
        run. A link in the place of a folder is not followed.
        """
        path = self._root / checked_run_name(name)
        try:
            return StoredRun(run_directory(self._root, name))
        except NotFound:
            if self._store_url is None or path.exists():
                raise
        with Store(self._store_url, create=False) as store:
            store.run(name)
        return SharedRun(RunDirectory(path), self._store_url)

    async def moment(self, name: str, fresh_seconds: float = FRESH_SECONDS) -> Moment:
        """The run as it was at most so many seconds ago. Errors as `stored`, and whatever reading it says."""
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = _Held(name)
        self._held.move_to_end(name)
        try:
            return await held.moment(self, fresh_seconds)
        except Exception:
            if self._held.get(name) is held and not held.is_busy:
                del self._held[name]
                held.close()
            raise
        finally:
            self._drop_oldest()

    async def entries(self) -> list[Entry]:
        """Every run as the list needs it, the newest first."""
        if self._listed is None or (self._listed.done() and time.monotonic() - self._listed_at >= FRESH_SECONDS):
            self._listed, self._listed_at = asyncio.create_task(self.in_thread(self._listing.entries)), time.monotonic()
        found = await asyncio.shield(self._listed)
        self._summaries = {entry.name: self._summaries[entry.name] for entry in found if entry.name in self._summaries}
        return found

    async def summary(self, entry: Entry) -> dict[str, Any]:
        """The row of a run; of one that cannot be read, why."""
        if entry.is_queued:
            return documents.queued(entry.name)
        if entry.problem is not None:
            return documents.unreadable(entry.name, entry.problem)
        known = self._summaries.get(entry.name)
        if known is not None and known[0] == entry:
            return known[1]
        try:
            moment = await self.moment(entry.name)
            document = await self.in_thread(documents.summary, moment)
        except (FitnasError, OSError) as error:
            return documents.unreadable(entry.name, str(error))
        self._summaries[entry.name] = entry, document
        return document

    async def noted(self) -> Noted:
        """What is noted of runs."""
        if self._noted is None or (self._noted.done() and time.monotonic() - self._noted_at >= FRESH_SECONDS):
            self._noted, self._noted_at = asyncio.create_task(self.in_thread(self._note)), time.monotonic()
        return await asyncio.shield(self._noted)

    def forget(self, name: str) -> None:
        """A run that goes or gets another name, or of which something is noted anew. From any thread."""
        self._noted_at = self._listed_at = -1e9
        held = self._held.pop(name, None)
        if held is not None:
            held.close()

    def now(self, name: str) -> Moment:
        """The run as it is, for the threads of routes that are no coroutines; errors as `moment`."""
        return from_thread.run(self.moment, name, 0.0)

    async def row(self, moment: Moment) -> Answer:
        """A run's row in the list, encoded."""
        noted = (await self.noted()).of(moment.name)
        return await self.answer(moment, ("row", str(noted)), lambda m: documents.summary(m) | noted)

    async def page(self, moment: Moment) -> Answer:
        """The row and what else the page of a run needs, encoded."""
        noted = (await self.noted()).of(moment.name)
        return await self.answer(
            moment, ("page", str(noted)), lambda m: documents.summary(m) | documents.detail(m) | noted
        )

    async def report(self, name: str) -> PageReport:
        """The run as one page; one report is made at a time."""
        run = await self.in_thread(self.stored, name)
        async with self._one_report:
            return await report(run)

    def follower(self, name: str) -> Follower:
        """Who looks at a run for all that read its events."""
        if name not in self._followers or self._followers[name].is_over:
            self._followers[name] = Follower(self, name)
        return self._followers[name]

    def left(self, name: str, follower: Follower) -> None:
        """A reader went."""
        if follower.leave() and self._followers.get(name) is follower:
            del self._followers[name]

    def _drop_oldest(self) -> None:
        for name in [name for name, held in self._held.items() if not held.is_busy][: -MOST_RUNS or None]:
            if len(self._held) <= MOST_RUNS:
                break
            self._held.pop(name).close()

    async def answer(self, moment: Moment, name: Hashable, make: Callable[[Moment], Any]) -> Answer:
        """The document that `make` makes of a moment, encoded; made once for all who ask for that name."""
        task = moment.kept.get(name)
        if task is None:
            task = asyncio.create_task(self.in_thread(_encoded, make, moment))
            if _has_room(moment):
                moment.kept[name] = task
        try:
            return await asyncio.shield(task)
        except Exception:
            moment.kept.pop(name, None)
            raise


def _encoded(make: Callable[[Moment], Any], moment: Moment) -> Answer:
    answer = Answer(make(moment))
    answer.compressed  # noqa: B018 - here, in a thread
    return answer


def _has_room(moment: Moment) -> bool:
    done = [task.result().size for task in moment.kept.values() if task.done() and not task.cancelled()]
    return len(moment.kept) < _MOST_KEPT and sum(done) < _MOST_KEPT_BYTES


class _Held:
    """A run in memory: read by one thread at a time, for all who wait."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._live: LiveRun | None = None
        self._moment: Moment | None = None
        self._read = -1e9
        self._reading: asyncio.Task[Moment] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a thread reads it now."""
        return self._reading is not None and not self._reading.done()

    async def moment(self, runs: LiveRuns, fresh_seconds: float) -> Moment:
        """See `LiveRuns.moment`."""
        if self._moment is not None and time.monotonic() - self._read < fresh_seconds:
            return self._moment
        if not self.is_busy:
            self._reading = asyncio.create_task(runs.in_thread(self._again, runs))
        assert self._reading is not None
        moment = await asyncio.shield(self._reading)
        self._moment, self._read = moment, time.monotonic()
        return moment

    def _again(self, runs: LiveRuns) -> Moment:
        try:
            if self._live is None:
                self._live = LiveRun(runs.stored(self._name))
            return self._live.moment()
        except Replaced:
            self.close()
            self._live = LiveRun(runs.stored(self._name))
            return self._live.moment()

    def close(self) -> None:
        """Closes its database."""
        if self._live is not None:
            self._live.close()
            self._live = None
