import json
import shutil
import time

import pytest

from benchmarks.synthetic_run import write_run
from nas.run import StoredRun
from nas.service.live.live_run import LiveRun
from nas.service.live.stream import POLL_SECONDS
from tests.served import serve


@pytest.fixture
def followed(tmp_path):
    """A client, and a run in its hands of which ten trials are recorded, with the trials that come next."""
    whole = write_run(tmp_path / "elsewhere", "whole", 40, objectives="accuracy,macs,sram")
    run = write_run(tmp_path / "runs", "run", 10, planned=40, state="searching", objectives="accuracy,macs,sram")
    with serve(tmp_path / "runs") as client:
        yield client, run, whole.trials[10:]


def record(run, trials):
    with run.store() as store:
        for trial in trials:
            store.record(run.name, trial)


class Events:
    """The events of a stream, one after the other."""

    def __init__(self, answer):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        self._lines = answer.iter_lines()

    def next(self, kind):
        """(id, document) of the next event of that kind."""
        identifier, event = None, None
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                identifier = value
            elif name == "event":
                event = value
            elif name == "data" and event == kind:
                return identifier, json.loads(value)
            elif not line:
                identifier, event = None, None
        raise AssertionError(f"the stream ended before an event '{kind}'")


def test_new_trials_are_told_also_those_out_of_order(followed):
    client, run, coming = followed
    with client.stream("GET", "/runs/run/events") as answer:
        events = Events(answer)
        cursor, told = events.next("trials")
        assert (cursor, len(told["rows"])) == ("0-9", 10)
        assert events.next("state")[1]["trials"] == 10
        record(run, [coming[2], coming[0]])
        cursor, told = events.next("trials")
        if len(told["rows"]) == 1:  # looked between the two
            cursor, _ = events.next("trials")
        assert cursor == "0-10,12"
        record(run, [coming[1]])
        cursor, told = events.next("trials")
        assert (cursor, [row[0] for row in told["rows"]]) == ("0-12", [11])
        row = events.next("state")[1]
        assert (row["trials"], row["hypervolume"]) == (13, StoredRun.load(run.path).pareto.hypervolume)


def test_a_stream_resumes_behind_what_was_told(followed):
    client, run, coming = followed
    with client.stream("GET", "/runs/run/events") as answer:
        cursor, _ = Events(answer).next("trials")
    record(run, coming[:3])
    for how in ({"headers": {"Last-Event-ID": cursor}}, {"params": {"after": cursor}}):
        with client.stream("GET", "/runs/run/events", **how) as answer:
            assert [row[0] for row in Events(answer).next("trials")[1]["rows"]] == [10, 11, 12]
    assert client.get("/runs/run/events", headers={"Last-Event-ID": "what"}).status_code == 422


def test_a_stream_resumes_in_another_service(followed, tmp_path):
    client, run, coming = followed
    with client.stream("GET", "/runs/run/events") as answer:
        cursor, _ = Events(answer).next("trials")
    other = tmp_path / "other"
    shutil.copytree(run.path, other / "run")
    record(StoredRun.load(other / "run"), coming[1:2])
    with serve(other) as second, second.stream("GET", "/runs/run/events", params={"after": cursor}) as answer:
        assert [row[0] for row in Events(answer).next("trials")[1]["rows"]] == [11]


def test_a_run_that_goes_ends_its_stream(followed):
    client, run, _ = followed
    with client.stream("GET", "/runs/run/events") as answer:
        events = Events(answer)
        events.next("state")
        run.delete()
        assert "run" in events.next("gone")[1]["detail"]
    assert client.get("/runs/run/events").status_code == 404


def test_one_poller_serves_all_and_none_is_left_behind(followed, monkeypatch):
    client, run, coming = followed
    looked, moment = [], LiveRun.moment
    monkeypatch.setattr(LiveRun, "moment", lambda live: looked.append(1) or moment(live))
    with client.stream("GET", "/runs/run/events") as first, client.stream("GET", "/runs/run/events") as second:
        readers = [Events(first), Events(second)]
        for events in readers:
            events.next("state")
        looked.clear()
        began = time.monotonic()
        time.sleep(1.5)
        assert 2 <= len(looked) <= (time.monotonic() - began) / POLL_SECONDS + 1
        record(run, coming[:1])
        assert {events.next("trials")[0] for events in readers} == {"0-10"}
    time.sleep(2 * POLL_SECONDS)
    looked.clear()
    time.sleep(3 * POLL_SECONDS)
    assert not looked
