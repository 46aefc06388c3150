"""What Prometheus is told."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from benchmarks.synthetic_run import write_run
from nas.service.service import Service
from nas.service.settings import ServiceSettings
from nas.storage.service_store import Job


def _told(client: TestClient) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_requests_are_counted_by_route_and_status(reader: TestClient) -> None:
    for path in ("/api/v1/runs/a", "/api/v1/runs/b", "/api/v1/strategies", "/nowhere-1", "/nowhere-2"):
        reader.get(path)
    reader.request("BREW", "/api/v1/runs")
    told = _told(reader)
    assert told['fitnas_requests_total{method="GET",route="/runs/{name}",status="404"}'] == 2
    assert told['fitnas_requests_total{method="GET",route="/strategies",status="200"}'] == 1
    assert told['fitnas_request_seconds_count{method="GET",route="/runs/{name}"}'] == 2
    assert not [name for name in told if "nowhere" in name or "BREW" in name]


def test_jobs_runs_and_trials_are_told_as_they_stand(reader: TestClient, service: Service) -> None:
    write_run(service.settings.root, "signs", 12, planned=20, state="searching")
    for number, state in enumerate(("running", "queued", "failed")):
        service.store.add_job(Job(str(number), "search", f"signs{number or ''}", state, "me", {}, "2026-01-01"))
    told = _told(reader)
    assert told['fitnas_jobs{state="running"}'] == told['fitnas_jobs{state="queued"}'] == 1
    assert told['fitnas_jobs{state="complete"}'] == 0
    assert told['fitnas_run_trials{run="signs"}'] == 12
    assert sum(value for name, value in told.items() if name.startswith("fitnas_runs{")) == 1


class TestOffLoopback:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> ServiceSettings:
        return ServiceSettings(tmp_path / "runs", host="0.0.0.0")

    def test_a_token_is_needed(self, reader: TestClient, admin: TestClient) -> None:
        assert reader.get("/metrics").status_code == 401
        assert _told(admin)["process_resident_memory_bytes"] > 0
