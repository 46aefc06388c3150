"""Search spaces: `/spaces`."""

import asyncio
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response

from nas.reporting.catalogue import space_document
from nas.service.live.answers import Answer
from nas.service.security.access import Reading
from search_spaces.core.registry import space_names

router = APIRouter(prefix="/spaces", tags=["what there is to choose from"])


@router.get("", response_model=list[dict[str, Any]])
async def list_spaces(caller: Reading, request: Request) -> Response:
    """Every search space in full, as `nas spaces --json`: choices, settings with their schema, published networks."""
    return (await asyncio.to_thread(_spaces)).response(request)


@router.get("/{name}", response_model=dict[str, Any])
async def show_space(caller: Reading, request: Request, name: str) -> Response:
    """One search space, as `nas spaces NAME --json`."""
    return Answer(await asyncio.to_thread(space_document, name)).response(request)


@cache
def _spaces() -> Answer:
    return Answer([space_document(name) for name in space_names()])
