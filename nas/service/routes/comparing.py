"""Runs side by side: `/compare`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from nas.reporting.comparison import comparison
from nas.service.live.answers import Answer
from nas.service.security.access import Reading
from nas.service.service import Service, Using

router = APIRouter(tags=["runs"])
_MOST_RUNS = 12


@router.get("/compare", response_model=dict[str, Any])
async def compare_runs(
    caller: Reading,
    service: Using,
    request: Request,
    run: Annotated[list[str], Query(min_length=2, max_length=_MOST_RUNS)],
) -> Response:
    """As `nas compare --json`: figures and fronts; hypervolumes in one common box and coverage, or why the runs cannot
    be compared.
    """
    return (await service.live.in_thread(_comparison, service, run)).response(request)


def _comparison(service: Service, names: list[str]) -> Answer:
    return Answer(comparison([service.live.stored(name) for name in names]))
