"""Long work: `/jobs`."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from nas.service.security.access import Reading, Running
from nas.service.security.redaction import redacted
from nas.service.service import Service, Using
from nas.storage.service_store import LIVE, JobState
from search_spaces.core.errors import WrongUse

router = APIRouter(prefix="/jobs", tags=["work"])
_MOST_LOG_BYTES = 1 << 18
_SECONDS_BETWEEN_LOOKS = 0.5


@router.get("")
def list_jobs(
    caller: Reading, service: Using, state: Annotated[list[JobState] | None, Query()] = None, run: str | None = None
) -> list[dict[str, Any]]:
    """Jobs that match all that is given, the newest first."""
    return [service.jobs.document(job) for job in reversed(service.store.jobs(states=state, run=run))]


@router.get("/{job}")
def show_job(job: str, caller: Reading, service: Using) -> dict[str, Any]:
    """One job: its state, how far it is, what it said at the end."""
    return service.jobs.document(service.store.job(job))


@router.post("/{job}/cancel", status_code=202)
def cancel_job(job: str, caller: Running, service: Using) -> dict[str, Any]:
    """Takes it out of the queue, or tells it to save what it has and end."""
    return service.jobs.document(service.jobs.cancel(job))


@router.get("/{job}/log")
def read_log(job: str, caller: Reading, service: Using, after: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
    """What its command told people, behind the byte `after`; `next` is where more will be."""
    text, end = _log(service, job, after)
    return {"text": text, "next": end}


@router.get("/{job}/events")
def stream_job(
    job: str, caller: Reading, service: Using, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Server-sent events: `job` whenever it changes, `log` with further text, whose `id` is the byte behind it."""
    service.store.job(job)
    start = last_event_id or "0"
    if not start.isdecimal() or len(start) > 15:
        raise WrongUse(
            f"Last-Event-ID: {start[:60]!r} is no place in a log; leave it away to begin with the first line"
        )
    return StreamingResponse(_events(service, job, int(start)), media_type="text/event-stream")


async def _events(service: Service, job: str, place: int) -> AsyncIterator[str]:
    before: dict[str, Any] | None = None
    while True:
        found = await to_thread.run_sync(service.store.job, job)
        document = await to_thread.run_sync(service.jobs.document, found)
        text, place = await to_thread.run_sync(_log, service, job, place)
        if text:
            yield f"id: {place}\nevent: log\ndata: {json.dumps({'text': text})}\n\n"
        if document != before:
            before = document
            yield f"event: job\ndata: {json.dumps(document)}\n\n"
        if found.state not in LIVE and not text:
            return
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)


def _log(service: Service, job: str, after: int) -> tuple[str, int]:
    """Whole lines behind the byte `after`, without secrets, and the byte behind them; of what is over, the rest."""
    found = service.store.job(job)
    try:
        with service.jobs.folder(found).log.open("rb") as file:
            file.seek(after)
            content = file.read(_MOST_LOG_BYTES)
    except OSError:
        return "", after
    whole = content.rfind(b"\n") + 1
    if whole or (found.state in LIVE and len(content) < _MOST_LOG_BYTES):
        content = content[:whole]  # the rest may be written only in part, in the middle of a letter or of a secret
    return redacted(content.decode("utf-8", errors="replace")), after + len(content)
