"""What the routes of work make of a request, without a process."""

import threading
import time

import pytest

from tests.nas.service.jobs.searches import TINY


def start(client, values=TINY, key=None, **more):
    headers = {} if key is None else {"idempotency-key": key}
    return client.post("/api/v1/runs", json=values, headers=headers, params=more)


def test_the_same_key_starts_one_search_and_another_body_under_it_is_refused(ask):
    runner, other = ask("run"), ask("admin")
    first, again = start(runner, key="k"), start(runner, key="k")
    assert first.status_code == again.status_code == 202, first.text
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"] == "/api/v1/runs/mcunetv2-001"
    refused = start(runner, TINY | {"trials": 6}, key="k")
    assert refused.status_code == 409
    assert "Idempotency-Key" in refused.json()["detail"]
    assert start(other, key="k").json()["run"] == "mcunetv2-002"  # a key is its caller's own
    assert start(runner).json()["run"] == "mcunetv2-003"
    assert len(runner.get("/api/v1/jobs").json()) == 3


def test_keys_sent_at_once_start_one_search(ask):
    runner, answers = ask("run"), []
    threads = [threading.Thread(target=lambda: answers.append(start(runner, key="k").json())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["job"]["id"] for answer in answers}) == 1
    assert len(runner.get("/api/v1/jobs").json()) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"space": "mcunetv3"}, "mcunetv2"),
        ({"device": "stm32f74"}, "stm32f746"),
        ({"trails": 3}, "trials"),
        ({"set": {"resolution": "16"}}, "resolutions"),
        ({"strategy": "evolutoin"}, "evolution"),
        ({"budget": "sram=lots"}, "sram"),
        ({"run": "../up"}, "up"),
    ],
)
def test_what_is_wrong_is_told_at_once_in_the_words_of_the_command_line(ask, change, words):
    refused = start(ask("run"), TINY | change)
    assert refused.status_code == 422, refused.text
    assert words in refused.json()["detail"]
    assert refused.json()["exit_code"] == 2
    assert ask().get("/api/v1/jobs").json() == []


@pytest.mark.parametrize(
    "change",
    [
        {"data": "/etc"},
        {"device": "/etc/passwd"},
        {"device": "up.toml"},
        {"set": {"anchors": "/home/else"}},
        {"store": "sqlite:////tmp/x.db"},
        {"tracking": "wandb"},
    ],
)
def test_places_on_the_machine_are_for_admins_to_name(ask, change):
    assert start(ask("run"), TINY | change).status_code == 403


def test_only_admins_replace_a_run(ask):
    assert start(ask("run"), TINY | {"run": "signs"}, force=True).status_code == 403
    assert start(ask("admin"), TINY | {"run": "signs"}, force=True).status_code == 202


def test_a_name_that_a_waiting_search_has_is_taken(ask):
    assert start(ask("run"), TINY | {"run": "signs"}).status_code == 202
    refused = start(ask("run"), TINY | {"run": "signs"})
    assert refused.status_code == 422
    assert "exists already" in refused.json()["detail"]


def test_stopping_a_waiting_search_takes_it_out(ask):
    runner = ask("run")
    job = start(runner, TINY | {"run": "signs"}).json()["job"]
    assert (job["state"], job["position"]) == ("queued", 1)
    assert runner.post("/api/v1/runs/signs/stop").json()["state"] == "cancelled"
    assert runner.post("/api/v1/runs/signs/stop").status_code == 404
    assert [each["id"] for each in runner.get("/api/v1/jobs", params={"state": "cancelled"}).json()] == [job["id"]]


def test_a_preview_says_what_fits_and_what_does_not(ask):
    runner = ask("run")
    found = runner.post("/api/v1/runs/preview", json=TINY | {"budget": "sram=256k"})
    assert found.status_code == 200, found.text
    assert "--budget sram=256k" in found.json()["command"]
    nothing = runner.post("/api/v1/runs/preview", json=TINY | {"budget": "sram=1k"})
    assert nothing.status_code == 422
    assert nothing.json()["exit_code"] == 3


def test_previews_of_many_hold_up_nobody_who_reads(ask):
    runner, answers = ask("run"), []

    def preview() -> None:
        answers.append(runner.post("/api/v1/runs/preview", json=TINY).status_code)

    with runner:
        threads = [threading.Thread(target=preview) for _ in range(6)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        assert runner.get("/api/v1/jobs").status_code == 200
        took = time.monotonic() - began
        for thread in threads:
            thread.join()
    assert answers == [200] * 6
    assert took < 5
