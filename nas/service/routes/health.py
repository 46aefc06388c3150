"""Whether the service lives and may be asked: `/healthz`, `/readyz`; outside /api/v1, without a token."""

from fastapi import APIRouter

from nas.service.service import Using

BELOW = ""
router = APIRouter(tags=["health"])


@router.get("/healthz")
def is_alive() -> dict[str, str]:
    """Always, while the process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def is_ready(service: Using) -> dict[str, str]:
    """Once the database answers; else a problem document."""
    service.store.jobs(states=["running"])
    return {"status": "ready"}
