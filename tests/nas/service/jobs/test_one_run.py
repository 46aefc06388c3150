"""What becomes of a run over HTTP, by the processes that do the work."""

import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.nas.service.jobs.searches import TINY

API = "/api/v1"
_SECONDS = 60.0


@pytest.fixture
def client(admin: TestClient) -> Any:
    """Within it, jobs are started."""
    with admin:
        yield admin


def until(client: TestClient, job: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    began = time.monotonic()
    while time.monotonic() - began < _SECONDS:
        found: dict[str, Any] = client.get(f"{API}/jobs/{job}").json()
        if holds(found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{found}: {client.get(f'{API}/jobs/{job}/log').json()['text']}")


def ended(client: TestClient, job: str) -> dict[str, Any]:
    found = until(client, job, lambda found: found["state"] not in ("queued", "running"))
    assert found["state"] == "complete", client.get(f"{API}/jobs/{job}/log").json()
    return found


def told(client: TestClient, job: str, **headers: str) -> list[tuple[str, dict[str, Any], str]]:
    """The events of a job that is over: kind, data, id."""
    lines = client.get(f"{API}/jobs/{job}/events", headers=headers).text.strip().split("\n\n")
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in lines if event]
    return [(event["event"], json.loads(event["data"]), event.get("id", "")) for event in events]


def test_a_search_is_followed_from_its_request_to_its_end(client):
    job = client.post(f"{API}/runs", json=TINY | {"run": "signs"}).json()["job"]["id"]
    until(client, job, lambda found: found["progress"] is not None)
    for method, way, body in (("DELETE", "", None), ("PATCH", "", {"name": "other"}), ("POST", "/export", {})):
        busy = client.request(method, f"{API}/runs/signs{way}", json=body)
        assert busy.status_code in (404, 409), busy.text  # before its configuration is written, and while it is driven
    done = ended(client, job)
    assert (done["exit_code"], done["progress"], done["by"]) == (0, None, "a-admin")

    log = client.get(f"{API}/jobs/{job}/log").json()
    assert "data digits" in log["text"]
    middle = log["text"].index("\n") + 1
    rest = client.get(f"{API}/jobs/{job}/log", params={"after": middle}).json()
    assert rest == {"text": log["text"][middle:], "next": log["next"]}
    (kind, first, place), *others = told(client, job)
    assert (kind, first["text"], place) == ("log", log["text"], str(log["next"]))
    assert [(kind, data["state"]) for kind, data, _ in others] == [("job", "complete")]
    resumed = told(client, job, **{"last-event-id": place})
    assert [kind for kind, _, _ in resumed] == ["job"]  # nothing of the log is told twice


def test_a_run_is_trained_exported_renamed_and_deleted(client, service, settings, tiny_run):
    shutil.copytree(tiny_run.path, settings.root / "signs")
    train = client.post(f"{API}/runs/signs/train", json={"pick": "knee", "epochs": 1})
    assert ended(client, train.json()["id"])["kind"] == "train"
    export = client.post(f"{API}/runs/signs/export", json={"pick": "knee", "to": "pytorch"})
    assert export.status_code == 202, export.text
    ended(client, export.json()["id"])
    (made,) = client.get(f"{API}/runs/signs/exports").json()
    place = settings.root / "signs" / "export" / made["folder"]
    (place / "link.txt").symlink_to("/etc/passwd")
    (place / "out").symlink_to("/etc")
    (listed,) = client.get(f"{API}/runs/signs/exports").json()
    assert listed == made  # no links
    packed = client.get(f"{API}/runs/signs/exports/{made['folder']}.zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as opened:
        assert sorted(opened.namelist()) == sorted(f"{made['folder']}/{name}" for name in made["files"])
        assert opened.read(f"{made['folder']}/manifest.json") == (place / "manifest.json").read_bytes()
    (place.parent / "away").symlink_to(settings.root)
    for name in ("away", "nowhere", "..", "%2e%2e"):
        assert client.get(f"{API}/runs/signs/exports/{name}.zip").status_code in (400, 404, 409), name
    unknown = client.post(f"{API}/runs/signs/export", json={"to": "c", "target": "cortex-m5"})
    assert (unknown.status_code, "did you mean" in unknown.json()["detail"]) == (422, True)
    ended(client, client.post(f"{API}/runs/signs/export", json={"to": "c", "target": "cortex-m4"}).json()["id"])
    assert any(each["folder"].endswith("-c-cortex-m4") for each in client.get(f"{API}/runs/signs/exports").json())

    changed = client.patch(f"{API}/runs/signs", json={"name": "roads", "note": "kept", "tags": ["a", "a", "b"]}).json()
    assert (changed["name"], changed["note"], changed["tags"], changed["trials"]) == ("roads", "kept", ["a", "b"], 8)
    assert client.get(f"{API}/runs/signs").status_code == 404
    assert {each["run"] for each in client.get(f"{API}/jobs").json()} == {"roads"}
    assert client.post(f"{API}/runs/roads/resume").status_code == 202
    assert client.post(f"{API}/runs/roads/resume").status_code == 409
    client.post(f"{API}/runs/roads/stop")
    until(client, client.get(f"{API}/jobs").json()[0]["id"], lambda found: found["ended"] is not None)
    assert client.delete(f"{API}/runs/roads").json()["freed_bytes"] > 0
    assert not (settings.root / "roads").exists()
    assert service.store.labels() == {}
