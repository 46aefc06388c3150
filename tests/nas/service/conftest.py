"""A service on a folder of its own, and clients of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

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
def ask(service: Service) -> Iterator[Ask]:
    """Makes a client: `ask()` without a token, `ask("admin")` with one of that role; more keywords are headers.

    What fails within the service is answered as to anybody, and not raised in the test. No job starts, unless the test
    calls `service.start()`.
    """
    app = create_app(service)
    secrets: dict[str, str] = {}
    base = HERE if service.settings.is_local else f"http://{service.settings.host}:8080"

    def make(role: str | None = None, **headers: str) -> TestClient:
        if role is not None:
            if role not in secrets:
                secrets[role] = service.tokens.create(f"a-{role}", role)
            headers["authorization"] = f"Bearer {secrets[role]}"
        client = TestClient(app, base_url=base, headers=headers, raise_server_exceptions=False)
        client.portal = portal  # one event loop for all, as of a server
        return client

    with start_blocking_portal() as portal:
        yield make


@pytest.fixture
def reader(ask: Ask) -> TestClient:
    """Asks without a token, which on loopback may read."""
    return ask()


@pytest.fixture
def admin(ask: Ask) -> TestClient:
    """Asks with an admin's token."""
    return ask("admin")
