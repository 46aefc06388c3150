"""What is turned away before a route sees it, and what every answer carries."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nas.service.security.guard import MOST_JSON_BYTES
from nas.service.settings import ServiceSettings
from tests.nas.service.conftest import Ask

TOKENS = "/api/v1/tokens"
FOREIGN_HOSTS = ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::1", "a@127.0.0.1", "10.0.0.7"]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused_also_for_reading(reader: TestClient, host: str) -> None:
    answer = reader.get("/api/v1/runs", headers={"host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8080", "[::1]:8080", "LOCALHOST"])
def test_loopback_has_several_names(reader: TestClient, host: str) -> None:
    assert reader.get("/api/v1/runs", headers={"host": host}).status_code == 200


class TestOffLoopback:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> ServiceSettings:
        return ServiceSettings(tmp_path / "runs", host="0.0.0.0", hosts=("nas.lan",))

    @pytest.mark.parametrize(("host", "status"), [("nas.lan:8080", 200), ("192.168.1.7", 200), ("evil.example", 421)])
    def test_addresses_and_named_hosts_are_its_own(self, admin: TestClient, host: str, status: int) -> None:
        assert admin.get("/api/v1/runs", headers={"host": host}).status_code == status

    def test_reading_needs_a_token_too(self, reader: TestClient) -> None:
        answer = reader.get("/api/v1/runs")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert reader.get("/healthz").status_code == 200


FOREIGN: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "http://127.0.0.1:8080.evil.example"},
    {"origin": "http://["},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda each: "-".join(each.values()))
def test_a_change_from_another_site_is_refused_whatever_its_token(admin: TestClient, headers: dict[str, str]) -> None:
    assert admin.post(TOKENS, json={"name": "x"}, headers=headers).status_code == 403
    assert "x" not in {token["name"] for token in admin.get(TOKENS).json()}


@pytest.mark.parametrize("headers", [{}, {"origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-origin"}])
def test_a_change_from_its_own_pages_or_from_no_page_is_taken(admin: TestClient, headers: dict[str, str]) -> None:
    assert admin.post(TOKENS, json={"name": "x"}, headers=headers).status_code == 201


def test_nobody_is_told_that_other_sites_may_read(reader: TestClient) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method in ("GET", "OPTIONS"):
        answer = reader.request(method, "/api/v1/runs", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_change_is_json_or_nothing(admin: TestClient, kind: str) -> None:
    answer = admin.post(TOKENS, content=b'{"name": "x"}', headers={"content-type": kind})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def _chunks(count: int) -> Iterator[bytes]:
    yield from (b" " * (1 << 16) for _ in range(count))


@pytest.mark.parametrize("told", ["length", "chunks", "lie"])
def test_a_body_is_bounded(admin: TestClient, told: str) -> None:
    headers = {"content-type": "application/json"} | (
        {"content-length": "99999999999999999999"} if told == "lie" else {}
    )
    content: Any = b" " * (MOST_JSON_BYTES + 1) if told == "length" else _chunks(17)
    answer = admin.post(TOKENS, content=b"" if told == "lie" else content, headers=headers)
    assert answer.status_code == 413
    assert f"{MOST_JSON_BYTES:,}" in answer.json()["detail"]


TRAVERSALS = [
    "../secret", "%2e%2e/secret", "..%2fsecret", "%252e%252e%252fsecret", "..%5csecret", "%2e%2e%5csecret",
    "..\\secret", "%00", "a%0d%0ax", "%c0%ae%c0%ae%2fsecret", "a%2f..%2f..%2fsecret", "..;/secret",
    "%e2%80%a5/secret", "C:%5csecret", "%2fetc%2fpasswd",
]  # fmt: skip
PLACES = ["/api/v1/runs/{}", "/api/v1/runs/x/exports/{}.zip", "/api/v1/datasets/{}", "/api/v1/jobs/{}", "/{}"]


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_leads_out(admin: TestClient, service: Any, name: str) -> None:
    (service.settings.root.parent / "secret").mkdir(exist_ok=True)
    (service.settings.root.parent / "secret" / "config.toml").write_text("space = 'stolen'")
    for place in PLACES:
        answer = admin.get(place.format(name))
        assert answer.status_code in (400, 404, 422), (place, answer.text)
        assert "stolen" not in answer.text
        assert "root:" not in answer.text


def test_every_answer_is_guarded(reader: TestClient, admin: TestClient) -> None:
    answers = [
        reader.get("/api/v1/runs"),
        reader.get("/no"),
        admin.post(TOKENS, json={}),
        reader.get("/", headers={"host": "x"}),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] in ("no-store", "no-cache")  # kept at most to be asked for again
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_what_fails_within_says_nothing_of_itself(
    reader: TestClient, service: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("postgresql://me:hunter2@host/runs is gone")

    monkeypatch.setattr(service.store, "jobs", fail)
    answer = reader.get("/readyz")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "RuntimeError" not in answer.text
    told = capsys.readouterr().err
    assert "RuntimeError" in told
    assert "hunter2" not in told + answer.text


def test_what_fails_before_a_route_is_explained(ask: Ask, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from search_spaces.core.errors import FitnasError

    client, fail = ask("run"), _raising(FitnasError("runs.db is locked"))
    monkeypatch.setattr(service.store, "token_of", fail)
    answer = client.get("/api/v1/runs")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "runs.db is locked"


def _raising(error: Exception) -> Callable[..., None]:
    def fail(*_: Any) -> None:
        raise error

    return fail
