"""Server-sent events of a run: one poller serves all who read, and there is none without readers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi.responses import StreamingResponse

from nas.service.live import documents
from nas.service.live.answers import Answer
from nas.service.live.moment import Moment
from nas.service.live.seen import unseen
from search_spaces.core.errors import FitnasError

if TYPE_CHECKING:
    from nas.service.live.runs import LiveRuns

_ROWS_AN_EVENT = 1000
_PING_SECONDS = 15.0
POLL_SECONDS = 0.3
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Follower:
    """Looks at one run again and again for as long as somebody reads.

    A reader takes what is new to it from the latest moment when it has time: a slow one costs no memory.
    """

    def __init__(self, runs: "LiveRuns", name: str) -> None:
        self._runs = runs
        self._name = name
        self._readers = 0
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.latest: Moment | None = None
        self.is_over = False
        self.ended_by = ""

    def enter(self) -> None:
        """A reader more."""
        self._readers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._look())

    def leave(self) -> bool:
        """A reader less; whether it was the last."""
        self._readers -= 1
        if not self._readers:
            self.end()
        return not self._readers

    def end(self) -> None:
        """Lets every reader go."""
        if self._task is not None:
            self._task.cancel()
        self.is_over = True
        self._news.set()

    async def changed(self, seconds: float) -> None:
        """Returns once there is news, or after so many seconds."""
        news = self._news
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), seconds)

    async def _look(self) -> None:
        while True:
            try:
                moment = await self._runs.moment(self._name, POLL_SECONDS / 2)
            except (FitnasError, OSError) as error:  # deleted, or no longer readable
                self.ended_by = str(error)
                self.end()
                return
            if moment is not self.latest:
                self.latest = moment
                news, self._news = self._news, asyncio.Event()
                news.set()
            await asyncio.sleep(POLL_SECONDS)


async def event_stream(runs: "LiveRuns", name: str, cursor: str) -> StreamingResponse:
    """The events of a run behind a cursor. `WrongUse` for a text that is no cursor, `NotFound` for an unknown run."""
    moment = await runs.moment(name)
    unseen(cursor, moment.table.numbers)
    return StreamingResponse(_events(runs, name, cursor), media_type="text/event-stream", headers=_HEADERS)


async def _events(runs: "LiveRuns", name: str, cursor: str) -> AsyncIterator[bytes]:
    follower = runs.follower(name)
    follower.enter()
    seen: Moment | None = None
    row = b""
    try:
        yield b"retry: 2000\n\n"
        while not follower.is_over:
            moment = follower.latest
            if moment is None or moment is seen:
                await follower.changed(_PING_SECONDS)
                if follower.latest is seen and not follower.is_over:
                    yield b": ping\n\n"
                continue
            async for behind, event in _news(runs, moment, cursor):
                cursor = behind
                yield event
            answer = await runs.row(moment)
            if answer.body != row:
                row = answer.body
                yield b"event: state\ndata: %b\n\n" % row
            seen = moment
        if follower.ended_by:
            yield b"event: gone\ndata: %b\n\n" % Answer({"detail": follower.ended_by}).body
    finally:
        runs.left(name, follower)


async def _news(runs: "LiveRuns", moment: Moment, cursor: str) -> AsyncIterator[tuple[str, bytes]]:
    """Cursors and events until a moment has nothing new."""
    while len(unseen(cursor, moment.table.numbers)):
        name = ("trials", cursor, _ROWS_AN_EVENT, False)

        def make(moment: Moment, behind: str = cursor) -> dict[str, object]:
            return documents.trials(moment, behind, _ROWS_AN_EVENT)

        answer: Answer = await runs.answer(moment, name, make)
        cursor = answer.cursor
        yield cursor, b"id: %b\nevent: trials\ndata: %b\n\n" % (cursor.encode(), answer.body)
