"""Whether the service says that it lives."""

from fastapi.testclient import TestClient


def test_it_lives_and_is_ready_without_a_token(reader: TestClient) -> None:
    assert reader.get("/healthz").json() == {"status": "alive"}
    assert reader.get("/readyz").json() == {"status": "ready"}
