"""The table of metrics: `/metrics-table`."""

from typing import Any

from fastapi import APIRouter

from nas.reporting.catalogue import metrics_document
from nas.service.security.access import Reading

router = APIRouter(prefix="/metrics-table", tags=["what there is to choose from"])


@router.get("")
def list_metrics(caller: Reading) -> list[dict[str, Any]]:
    """Every metric: its key in flags, its column in documents, unit, direction, and the units that limits may have."""
    return metrics_document()
