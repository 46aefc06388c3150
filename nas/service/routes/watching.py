"""What grows while a run goes on: `/runs/{name}/trials`, `/front`, `/history`, `/events`."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from nas.service.live.live_run import LiveRun
from nas.service.live.summary import member, objective_document
from nas.service.routes.runs import one_summary
from nas.service.security.access import Reading
from nas.service.service import Service, Using
from search_spaces.core.errors import FitnasError

router = APIRouter(prefix="/runs/{name}", tags=["runs"])
_SECONDS_BETWEEN_LOOKS = 0.4
_SECONDS_BETWEEN_PINGS = 15.0
_MOST_TRIALS = 20_000

IfNoneMatch = Annotated[str | None, Header()]


@router.get("/trials")
def list_trials(
    name: str,
    caller: Reading,
    service: Using,
    after: str | None = None,
    limit: int = Query(2000, ge=1, le=_MOST_TRIALS),
    options: bool = False,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Trials behind a cursor in the order in which they were seen, as columns and rows; `options` adds the choices."""
    live = service.live.of(name)
    return _tagged(live, if_none_match, lambda: live.page(after, limit, options).document())


@router.get("/front")
def show_front(name: str, caller: Reading, service: Using, if_none_match: IfNoneMatch = None) -> Response:
    """The Pareto front: its members, its hypervolume, its best and its knee by number."""
    live = service.live.of(name)
    return _tagged(live, if_none_match, lambda: front_document(live))


@router.get("/history")
def show_history(name: str, caller: Reading, service: Using, if_none_match: IfNoneMatch = None) -> Response:
    """The hypervolume after each evaluation that changed the front, and the seconds of evaluation until then."""
    live = service.live.of(name)

    def document() -> dict[str, Any]:
        history = live.history()
        seconds = [round(each, 3) for each in history.seconds.tolist()]
        return {
            "evaluations": history.evaluations.tolist(),
            "seconds": seconds,
            "hypervolume": history.volumes.tolist(),
        }

    return _tagged(live, if_none_match, document)


@router.get("/events")
def stream_events(
    name: str,
    caller: Reading,
    service: Using,
    after: str | None = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events: `trials` as of /trials, whose `id` is the cursor behind them, and `state`, the run's summary.

    A stream goes on behind `Last-Event-ID`, or `after`.
    """
    live = service.live.of(name)
    cursor = last_event_id or after
    live.page(cursor, 1)  # a cursor that is none is told before the stream begins
    return StreamingResponse(_events(service, name, cursor), media_type="text/event-stream")


async def _events(service: Service, name: str, cursor: str | None) -> AsyncIterator[str]:
    version, quiet = -1, 0.0
    while True:
        try:
            live = await to_thread.run_sync(service.live.of, name)
            if live.version != version:
                version, quiet = live.version, 0.0
                page = await to_thread.run_sync(live.page, cursor)
                if page.rows or cursor is None:
                    yield _event("trials", page.document(), page.cursor)
                cursor = page.cursor
                version = -1 if page.more else version
                yield _event("state", await to_thread.run_sync(one_summary, service, live))
        except FitnasError as error:  # deleted, or damaged meanwhile
            yield _event("gone", {"detail": str(error)})
            return
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        quiet += _SECONDS_BETWEEN_LOOKS
        if quiet >= _SECONDS_BETWEEN_PINGS:
            quiet = 0.0
            yield ": nothing new\n\n"


def _event(kind: str, document: dict[str, Any], identifier: str = "") -> str:
    head = f"id: {identifier}\n" if identifier else ""
    return f"{head}event: {kind}\ndata: {json.dumps(document, separators=(',', ':'), allow_nan=False)}\n\n"


def front_document(live: LiveRun) -> dict[str, Any]:
    """The front as JSON."""
    front = live.front
    return {
        "numbers": [trial.number for trial in front],
        "members": [member(trial) for trial in front],
        "hypervolume": front.hypervolume,
        "best": front.best().number if len(front) else None,
        "knee": front.knee().number if len(front) else None,
        "reference": live.run.reference.to_dict(),
        "objectives": [objective_document(each) for each in front.objectives],
    }


def _tagged(live: LiveRun, known: str | None, document: Any) -> Response:
    """The document with a tag that changes when the run does; 304 without a body where the caller has it."""
    headers = {"etag": live.etag, "cache-control": "no-cache"}
    if known == live.etag:
        return Response(status_code=304, headers=headers)
    body = json.dumps(document(), separators=(",", ":"), allow_nan=False)
    return Response(body, media_type="application/json", headers=headers)
