"""Search spaces: `/spaces`."""

from typing import Any

from fastapi import APIRouter

from nas.service.security.access import Reading
from search_spaces.core.registry import space_class, space_names

router = APIRouter(prefix="/spaces", tags=["spaces"])


@router.get("")
def list_spaces(caller: Reading) -> list[dict[str, Any]]:
    """Every search space: name, what it is, its source and its usual objectives."""
    return [
        {"name": name, "title": space_class(name).title, "objectives": space_class(name).default_objectives}
        for name in space_names()
    ]
