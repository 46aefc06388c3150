"""Series for Prometheus: `/metrics`; outside /api/v1."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from nas.service.security.access import Reading
from nas.service.service import Using
from search_spaces.core.errors import FitnasError

BELOW = ""
router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
async def tell_metrics(caller: Reading, service: Using) -> Response:
    """Requests by route and status, their seconds, jobs and runs by state, trials of the runs at work."""
    jobs = await service.live.in_thread(service.store.jobs)
    runs = [entry.state for entry in await service.live.entries()]
    trials = {}
    for job in jobs:
        if job.state == "running":
            try:
                trials[job.run] = len((await service.live.moment(job.run)).table)
            except FitnasError:
                continue  # it has not written its configuration yet, or was deleted
    text = service.metrics.text([job.state for job in jobs], runs, trials)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
