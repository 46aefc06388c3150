"""What the service counts of itself, for Prometheus."""

import time
from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nas.storage.service_store import JobState

_OTHER = "other"  # a path that no route has: names from outside would make ever more series
_METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)


class Metrics:
    """The series of one service: requests as they are answered, jobs and runs as they stand when it is asked."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        route = ("method", "route")
        self._requests = Counter("fitnas_requests", "Requests answered.", (*route, "status"), registry=self._registry)
        self._seconds = Histogram(
            "fitnas_request_seconds", "Until the head of an answer.", route, buckets=_SECONDS, registry=self._registry
        )
        self._jobs = Gauge("fitnas_jobs", "Jobs by state.", ("state",), registry=self._registry)
        self._runs = Gauge("fitnas_runs", "Runs by state.", ("state",), registry=self._registry)
        self._trials = Gauge(
            "fitnas_run_trials", "Trials recorded, of runs at work.", ("run",), registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request more."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self, jobs: Iterable[str], runs: Iterable[str], trials: Mapping[str, int]) -> bytes:
        """Everything, in Prometheus's text format. `jobs`, `runs`: the state of each; `trials`: their number by run."""
        found = Counts(jobs)
        for state in get_args(JobState):
            self._jobs.labels(state).set(found[state])
        self._runs.clear()
        for state, count in Counts(runs).items():
            self._runs.labels(state).set(count)
        self._trials.clear()
        for run, count in trials.items():
            self._trials.labels(run).set(count)
        return generate_latest(self._registry)


class Counted:
    """ASGI middleware around everything: counts each answer by its route, which is told without /api/v1."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", _OTHER)
                method = scope["method"] if scope["method"] in _METHODS else _OTHER
                self.metrics.answered(method, route, message["status"], time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, answer)
