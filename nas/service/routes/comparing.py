"""Runs side by side: `/compare`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from nas.reporting.comparison import comparison
from nas.service.live.summary import member
from nas.service.security.access import Reading
from nas.service.service import Using

router = APIRouter(tags=["runs"])
_MOST_RUNS = 12


@router.get("/compare")
def compare_runs(
    caller: Reading, service: Using, run: Annotated[list[str], Query(min_length=2, max_length=_MOST_RUNS)]
) -> dict[str, Any]:
    """As `nas compare --json`: what may be compared, in one common box; with every front."""
    lives = [service.live.of(name) for name in run]
    document = comparison([live.run for live in lives])
    return {**document, "fronts": {live.run.name: [member(trial) for trial in live.front] for live in lives}}
