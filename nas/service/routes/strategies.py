"""Search strategies: `/strategies`."""

from fastapi import APIRouter

from nas.reporting.catalogue import strategies_document
from nas.service.security.access import Reading

router = APIRouter(prefix="/strategies", tags=["what there is to choose from"])


@router.get("")
def list_strategies(caller: Reading) -> dict[str, str]:
    """What each strategy is, by name, as `nas strategies --json`."""
    return strategies_document()
