"""A service on a folder of its own, and clients of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service needs pip install 'fitnas[service]'")

from fastapi.testclient import TestClient

from nas.service.app import create_app
from nas.service.service import Service
from nas.service.settings import ServiceSettings

HERE = "http://127.0.0.1:8080"

Ask = Callable[..., TestClient]


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    """Loopback, nothing in its folder; a test may give others by overriding this fixture."""
    return ServiceSettings(tmp_path / "runs")


@pytest.fixture
def service(settings: ServiceSettings) -> Iterator[Service]:
    """The parts of a service, before the first request."""
    made = Service(settings)
    yield made
    made.stop()


@pytest.fixture
def ask(service: Service) -> Ask:
    """Makes a client: `ask()` without a token, `ask("admin")` with one of that role; more keywords are headers.

    What fails within the service is answered as to anybody, and not raised in the test.
    """
    app = create_app(service)
    secrets: dict[str, str] = {}
    base = HERE if service.settings.is_local else f"http://{service.settings.host}:8080"

    def make(role: str | None = None, **headers: str) -> TestClient:
        if role is not None:
            if role not in secrets:
                secrets[role] = service.tokens.create(f"a-{role}", role)
            headers["authorization"] = f"Bearer {secrets[role]}"
        return TestClient(app, base_url=base, headers=headers, raise_server_exceptions=False)

    return make


@pytest.fixture
def reader(ask: Ask) -> TestClient:
    """Asks without a token, which on loopback may read."""
    return ask()


@pytest.fixture
def admin(ask: Ask) -> TestClient:
    """Asks with an admin's token. Jobs start only within `with admin:`, which runs what a server runs at its start."""
    return ask("admin")
