"""Runs as they stand: `/runs` and what lies below one. Nothing here changes a run."""

import asyncio
import gzip
from collections.abc import Callable, Hashable
from typing import Annotated, Any

from anyio import from_thread
from fastapi import APIRouter, Query, Request, Response

from nas.service.live import documents, networks
from nas.service.live.answers import Answer, accepts_gzip
from nas.service.live.listing import Wanted, behind, with_queued
from nas.service.live.moment import Moment
from nas.service.live.stream import event_stream
from nas.service.security.access import Reading
from nas.service.service import Service, Using

router = APIRouter(prefix="/runs", tags=["runs"])

_HTML = "text/html; charset=utf-8"
MOST_ROWS = 20_000
_Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
_Text = Annotated[str | None, Query(max_length=200)]


@router.get("", response_model=dict[str, Any])
async def list_runs(
    caller: Reading, service: Using, request: Request, state: _Text = None, space: _Text = None, tag: _Text = None,
    q: _Text = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100, after: _Text = None,
) -> Response:  # fmt: skip
    """Runs, the newest first: `next` is the cursor of the next page, null on the last. `q` is looked for in name,
    space, note and tags. A run that cannot be read is listed as such, with the `problem`.
    """
    noted = await service.live.noted()
    entries = with_queued(await service.live.entries(), noted.jobs)
    wanted = Wanted(state, space, tag, q)
    found = [entry for entry in entries if wanted.holds(entry, noted.of(entry.name))]
    if after is not None:
        found = behind(found, after)
    page = found[:limit]
    rows = await asyncio.gather(*(service.live.summary(entry) for entry in page))
    document = {
        "runs": [row | noted.of(row["name"]) for row in rows],
        "next": page[-1].cursor if len(found) > limit else None,
    }
    return (await service.live.in_thread(Answer, document)).response(request)


@router.get("/{name}", response_model=dict[str, Any])
async def show_run(caller: Reading, service: Using, request: Request, name: str) -> Response:
    """One run: its row in the list, and configuration, device, reference box, metrics and choices."""
    moment = await service.live.moment(name)
    return (await service.live.page(moment)).response(request)


@router.get("/{name}/trials", response_model=dict[str, Any])
async def list_trials(
    caller: Reading, service: Using, request: Request, name: str,
    after: Annotated[str, Query(max_length=4000)] = "", limit: _Limit = 2000, options: bool = False,
) -> Response:  # fmt: skip
    """Trials that the cursor `after` does not hold: a header, and a row each. Ask again with `cursor` for what is new;
    trials that were recorded out of order are told too.
    """
    return await _answer(
        service, request, name, ("trials", after, limit, options), lambda m: documents.trials(m, after, limit, options)
    )


@router.get("/{name}/front", response_model=dict[str, Any])
async def show_front(caller: Reading, service: Using, request: Request, name: str) -> Response:
    """The Pareto front, best first."""
    return await _answer(service, request, name, "front", documents.front)


@router.get("/{name}/history", response_model=dict[str, Any])
async def show_history(caller: Reading, service: Using, request: Request, name: str) -> Response:
    """The hypervolume after evaluations, and after the seconds that they took."""
    return await _answer(service, request, name, "history", documents.history)


@router.get("/{name}/health", response_model=dict[str, Any])
async def show_health(caller: Reading, service: Using, request: Request, name: str) -> Response:
    """What the budget admits, what failed and why, how good the predictors are, where time went."""
    return await _answer(service, request, name, "health", documents.health)


@router.get("/{name}/architectures/{pick}", response_model=dict[str, Any])
async def show_architecture(caller: Reading, service: Using, request: Request, name: str, pick: str) -> Response:
    """One network (best, knee, a number, an id or its beginning): figures, options, layers, what was promised and
    measured, the report of its training, and the commands that do something with it.
    """
    return await _answer(service, request, name, ("network", pick), lambda m: networks.architecture(m, pick))


@router.get("/{name}/architectures/{pick}/drawing.svg", response_class=Response)
async def draw_architecture(caller: Reading, service: Using, name: str, pick: str) -> Response:
    """The network operator by operator: bytes alive, patches shaded, the peak marked."""
    moment = await service.live.moment(name)
    drawn = await service.live.in_thread(networks.drawing, moment, pick)
    return Response(drawn, media_type="image/svg+xml")


@router.get("/{name}/report", response_class=Response)
async def show_report(caller: Reading, service: Using, request: Request, name: str) -> Response:
    """The run as one HTML page that needs no network."""
    page = await service.live.report(name)
    headers = {"Content-Security-Policy": page.policy, "Vary": "Accept-Encoding"}
    if not accepts_gzip(request.headers):
        return Response(gzip.decompress(page.compressed), media_type=_HTML, headers=headers)
    return Response(page.compressed, media_type=_HTML, headers=headers | {"Content-Encoding": "gzip"})


@router.get("/{name}/events", response_class=Response)
async def follow(
    caller: Reading, service: Using, request: Request, name: str,
    after: Annotated[str, Query(max_length=4000)] = "",
) -> Response:  # fmt: skip
    """Server-sent events: `trials` as they are recorded (data as in /trials; the event's id is the cursor) and `state`
    when the run's row changes; `gone` when the run is. Resumes behind the header Last-Event-ID, or the cursor `after`.
    """
    return await event_stream(service.live, name, request.headers.get("last-event-id", after))


def one_summary(service: Service, name: str) -> dict[str, Any]:
    """A run's row in the list, for the threads of routes that are no coroutines."""
    noted = from_thread.run(service.live.noted)
    return documents.summary(service.live.now(name)) | noted.of(name)


async def _answer(
    service: Service, request: Request, run: str, name: Hashable, make: Callable[[Moment], Any]
) -> Response:
    moment = await service.live.moment(run)
    return (await service.live.answer(moment, name, make)).response(request)
