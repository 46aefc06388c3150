"""Who may ask for what: each role against each route of the OpenAPI document, so that no route can be forgotten."""

import re
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from nas.service.app import create_app
from nas.service.security.audit import Audited
from nas.service.service import Service
from nas.service.settings import ServiceSettings
from tests.nas.service.conftest import HERE, Ask

PUBLIC = {"/healthz", "/readyz"}
ADMINS = {
    ("GET", "/api/v1/tokens"), ("POST", "/api/v1/tokens"), ("DELETE", "/api/v1/tokens/{name}"),
    ("GET", "/api/v1/audit"), ("DELETE", "/api/v1/runs/{name}"), ("DELETE", "/api/v1/datasets/{dataset}"),
}  # fmt: skip
RANK = {None: -1, "read": 0, "run": 1, "admin": 2}


def _routes(app: FastAPI) -> list[tuple[str, str]]:
    paths: dict[str, Any] = app.openapi()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(found) > 25
    return found


def _needed(method: str, path: str) -> int:
    if path in PUBLIC:
        return RANK[None]
    if (method, path) in ADMINS:
        return RANK["admin"]
    return RANK["read"] if method == "GET" else RANK["run"]


def _ask(client: TestClient, method: str, path: str) -> Any:
    """With names that exist nowhere, so that what is allowed changes nothing."""
    named = re.sub(r"{\w+}", "nothing-here", path)
    upload = (method, path) == ("POST", "/api/v1/datasets")
    body = {"files": {"file": ("a.zip", b"no zip")}} if upload else {"json": {}} if method in ("POST", "PATCH") else {}
    return client.request(method, named, **body)


@pytest.fixture
def everywhere(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(tmp_path / "runs", host="0.0.0.0")


class TestOnLoopback:
    @pytest.mark.parametrize("role", [None, "read", "run", "admin"])
    def test_each_role_gets_as_far_as_it_may(self, ask: Ask, service: Service, role: str | None) -> None:
        client, rank = ask(role), RANK[role] if role else RANK["read"]
        _check_all(client, create_app(service), rank, 401 if role is None else 403)


class TestOffLoopback:
    @pytest.fixture
    def settings(self, everywhere: ServiceSettings) -> ServiceSettings:
        return everywhere

    @pytest.mark.parametrize("role", [None, "read"])
    def test_each_role_gets_as_far_as_it_may(self, ask: Ask, service: Service, role: str | None) -> None:
        _check_all(ask(role), create_app(service), RANK[role], 401 if role is None else 403)


def _check_all(client: TestClient, app: FastAPI, rank: int, refused: int) -> None:
    for method, path in _routes(app):
        status = _ask(client, method, path).status_code
        if rank < _needed(method, path):
            assert status == refused, (method, path, status)
        else:
            assert status not in (401, 403), (method, path, status)
            assert status < 500, (method, path, status)


def test_every_admin_route_exists(service: Service) -> None:
    assert set(_routes(create_app(service))) >= ADMINS


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer ", "Basic YTpi", "Bearer", "", "bearer fitnas_x y", "Bearer é"]
)
def test_a_wrong_token_opens_nothing_not_even_what_is_open_without_one(reader: TestClient, given: str) -> None:
    for method, path in (("GET", "/api/v1/runs"), ("POST", "/api/v1/tokens")):
        answer = reader.request(method, path, headers={"authorization": given.encode()})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_revoked_token_opens_nothing_at_once(ask: Ask, admin: TestClient) -> None:
    runner = ask("run")
    assert runner.get("/api/v1/me").json() == {"name": "a-run", "role": "run", "local": False}
    assert admin.delete("/api/v1/tokens/a-run").status_code == 204
    assert runner.get("/api/v1/me").status_code == 401
    assert admin.delete("/api/v1/tokens/a-run").status_code == 404


def test_nothing_of_a_body_is_read_for_whom_no_change_is_allowed(service: Service) -> None:
    secret = service.tokens.create("looker", "read")
    for headers in ([], [(b"authorization", f"Bearer {secret}".encode())]):
        assert _status_without_a_body(create_app(service), headers) in (401, 403)


def _status_without_a_body(app: FastAPI, headers: list[tuple[bytes, bytes]]) -> int:
    """Of an upload; reading its body is an error."""
    statuses: list[int] = []

    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    usual = [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=b"), (b"content-length", b"9")]
    path = "/api/v1/datasets"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": [*usual, *headers]}
    anyio.run(app, {**scope, "query_string": b"", "http_version": "1.1", "scheme": "http"}, receive, send)
    return statuses[0]


def test_tokens_are_made_listed_without_their_secret_and_noted_when_used(ask: Ask, admin: TestClient) -> None:
    made = admin.post("/api/v1/tokens", json={"name": "ci", "role": "read"}).json()
    client = TestClient(admin.app, base_url=HERE, headers={"authorization": f"Bearer {made['token']}"})
    assert client.get("/api/v1/me").json()["role"] == "read"
    listed = admin.get("/api/v1/tokens")
    assert made["token"] not in listed.text
    token = next(each for each in listed.json() if each["name"] == "ci")
    assert token["used"] >= token["created"]
    assert set(token) == {"name", "role", "created", "used", "revoked"}
    again = admin.post("/api/v1/tokens", json={"name": "ci"})
    assert (again.status_code, again.json()["exit_code"]) == (422, 2)


class TestAudit:
    def test_every_change_is_noted_with_who_asked_and_how_it_ended(self, ask: Ask, admin: TestClient) -> None:
        ask("run").patch("/api/v1/runs/nothing-here", json={"note": "x"})
        ask().post("/api/v1/runs", json={"space": "mcunetv2"})
        admin.get("/api/v1/runs")
        lines = [(line["who"], line["action"], line["status"]) for line in admin.get("/api/v1/audit").json()]
        assert lines == [
            ("local", "POST /api/v1/runs", 401),
            ("a-run", "PATCH /api/v1/runs/nothing-here", 404),
        ]

    def test_what_a_change_made_is_named(self, admin: TestClient) -> None:
        body = {"space": "mcunetv2", "run": "signs", "trials": 1}
        assert admin.post("/api/v1/runs", json=body).status_code == 202
        assert admin.get("/api/v1/audit").json()[0]["action"] == "POST /api/v1/runs -> /api/v1/runs/signs"

    def test_strangers_cannot_fill_it(self, service: Service) -> None:
        minutes = [0.0]
        audited = Audited(_refuse, service.store, clock=lambda: 60 * minutes[0])
        for minute in (0, 1):
            minutes[0] = minute
            for _ in range(65):
                anyio.run(audited, {"type": "http", "method": "POST", "path": "/api/v1/runs"}, _nothing, _forget)
        assert len(service.store.changes()) == 120

    def test_names_are_quoted(self, admin: TestClient) -> None:
        admin.post("/api/v1/%1b%5b2J")
        assert "\x1b" not in admin.get("/api/v1/audit").json()[0]["action"]


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 401, "headers": []})


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _forget(message: Message) -> None:
    pass
