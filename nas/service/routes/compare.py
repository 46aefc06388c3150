"""Runs side by side: `/compare`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from nas.reporting.comparison import comparison
from nas.service.live.answers import Answer
from nas.service.security.access import Reading
from nas.service.service import Using

router = APIRouter(prefix="/compare", tags=["runs"])


@router.get("", response_model=dict[str, Any])
async def compare(
    caller: Reading, service: Using, request: Request, run: Annotated[list[str], Query(min_length=2, max_length=12)]
) -> Response:
    """Two runs or more, as `nas compare --json`: figures, fronts, hypervolume in a common box and coverage, or why they
    cannot be compared.
    """
    document = await service.live.in_thread(lambda: comparison([service.live.stored(name) for name in run]))
    return (await service.live.in_thread(Answer, document)).response(request)
