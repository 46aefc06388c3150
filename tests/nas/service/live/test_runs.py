import asyncio
import shutil

import pytest

from benchmarks.synthetic_run import write_run
from nas.service.live import runs as live_runs
from nas.service.live.noted import Noted
from nas.service.live.runs import LiveRuns
from nas.storage.database import sqlite_url
from search_spaces.core.errors import NotFound, Refused
from tests.nas.storage.conftest import postgres_url  # noqa: F401 - a fixture


def nothing_noted():
    return Noted({}, {})


def with_runs(root, store, work):
    """What the coroutine `work(runs)` gives."""

    async def go():
        runs = LiveRuns(root, store, nothing_noted)
        try:
            return await work(runs)
        finally:
            runs.close()

    return asyncio.run(go())


def test_the_runs_used_longest_ago_make_room(tmp_path, monkeypatch):
    monkeypatch.setattr(live_runs, "MOST_RUNS", 2)
    for name in ("a", "b", "c"):
        write_run(tmp_path, name, 3)

    async def work(runs):
        first = await runs.moment("a")
        assert await runs.moment("a") is first
        for name in ("b", "c"):
            await runs.moment(name)
        again = await runs.moment("a")
        assert again is not first
        assert again.front.tolist() == first.front.tolist()
        return len(runs._held)

    assert with_runs(tmp_path, None, work) == 2


def test_many_who_ask_at_once_are_answered_by_one_reading(tmp_path, monkeypatch):
    write_run(tmp_path, "a", 3)
    read = []
    moment = live_runs.LiveRun.moment
    monkeypatch.setattr(live_runs.LiveRun, "moment", lambda live: read.append(1) or moment(live))

    async def work(runs):
        found = await asyncio.gather(*(runs.moment("a") for _ in range(50)))
        return len({id(each) for each in found})

    assert with_runs(tmp_path, None, work) == 1
    assert len(read) == 1


def test_a_run_that_is_replaced_or_deleted(tmp_path):
    write_run(tmp_path, "a", 3)

    async def work(runs):
        assert len((await runs.moment("a", 0)).table) == 3
        shutil.rmtree(tmp_path / "a")
        write_run(tmp_path, "a", 5)
        assert len((await runs.moment("a", 0)).table) == 5
        shutil.rmtree(tmp_path / "a")
        with pytest.raises(NotFound, match="no run 'a'"):
            await runs.moment("a", 0)

    with_runs(tmp_path, None, work)


def test_a_link_is_not_followed(tmp_path):
    write_run(tmp_path / "elsewhere", "a", 3)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a").symlink_to(tmp_path / "elsewhere" / "a")

    async def work(runs):
        with pytest.raises(Refused):
            await runs.moment("a")
        return await runs.entries()

    assert with_runs(tmp_path / "runs", None, work) == []


def check_shared(tmp_path, url):
    here = write_run(tmp_path / "runs", "here", 4, store=url)
    away = write_run(tmp_path / "away", "away", 6, store=url, state="searching")
    shutil.rmtree(away.path)

    async def work(runs):
        entries = await runs.entries()
        rows = {entry.name: await runs.summary(entry) for entry in entries}
        moment = await runs.moment("away")
        return rows, moment.id_of("best"), moment.state

    rows, best, state = with_runs(tmp_path / "runs", url, work)
    assert {name: row["trials"] for name, row in rows.items()} == {"here": 4, "away": 6}
    assert rows["here"]["best"]["id"] == here.best().architecture.id
    assert (rows["away"]["best"]["id"], state) == (best, "searching")


def test_runs_of_a_shared_database_whose_folders_lie_elsewhere(tmp_path):
    check_shared(tmp_path, sqlite_url(tmp_path / "shared.db"))


def test_runs_of_a_shared_server(tmp_path, postgres_url):  # noqa: F811
    check_shared(tmp_path, postgres_url)
