"""`nas report`, `compare`, `delete`, `list` and `show --svg`, as typed."""

import io
import sys
from pathlib import Path

import pytest

from benchmarks.synthetic_run import write_run
from nas.storage.database import sqlite_url
from nas.storage.store import Store
from search_spaces.core.errors import NotFound


@pytest.fixture
def runs(nas):
    """Two runs in the folder of the commands, one of them in a shared database."""
    url = sqlite_url(Path("shared.db").absolute())
    return {
        "one": write_run(Path("runs"), "one", 15, failed=1),
        "two": write_run(Path("runs"), "two", 5, planned=8, state="searching", store=url, seed=1),
    }


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_report(nas, runs):
    told = nas("report", "one", "--json").document
    assert Path(told["path"]) == Path("runs/one/report.html")
    assert told["bytes"] == Path("runs/one/report.html").stat().st_size
    assert nas("report", "one").out.startswith("runs/one/report.html (")
    assert nas("report", "two", "--out", "page.html").code == 0
    again = nas("report", "two", "--out", "page.html")
    assert again.code == 2
    assert "--force" in again.err
    assert nas("report", "two", "--out", "page.html", "--force").code == 0
    assert nas("report", "tow").code == 4


def test_the_report_of_a_shared_store_shows_no_password(nas, runs):
    config = runs["two"].directory.config
    assert nas("report", "two").code == 0
    assert "shared.db" in config.read_text()
    assert "--store sqlite:///" in Path("runs/two/report.html").read_text()


def test_compare(nas, runs):
    found = nas("compare", "one", "two", "--json").document
    assert [row["run"] for row in found["runs"]] == ["one", "two"]
    assert found["not_comparable"] == []
    assert "not every run is complete" in found["notes"]
    shown = nas("compare", "one", "two")
    assert "hypervolume, common box" in shown.out
    assert "common box (hypervolume): accuracy from 100.0 % to 10.0 %" in shown.out
    assert "of the front of two is dominated or equalled by one" in shown.out
    assert nas("compare", "one").code == 2
    assert nas("compare", "one", "six").code == 4


def test_runs_that_cannot_be_compared(nas, runs):
    write_run(Path("runs"), "other", 5, objectives="accuracy,sram")
    shown = nas("compare", "one", "other")
    assert shown.code == 0
    assert "NOT COMPARED: their objectives differ: one has accuracy,macs; other has accuracy,sram" in shown.out
    assert "common box" not in shown.out


def test_list(nas, runs):
    (Path("runs") / "broken").mkdir()
    (Path("runs") / "broken" / "config.toml").write_text("no toml [")
    rows = {row["run"]: row for row in nas("list", "--json").document}
    assert rows["one"]["best_top1"] == runs["one"].best().metrics["top1"]
    assert rows["one"]["bytes"] == runs["one"].directory.size_bytes()
    assert rows["two"]["state"] == "interrupted"  # nobody drives it
    assert rows["broken"]["state"].startswith("unreadable")
    lines = nas("list").out.splitlines()
    assert lines[0].split()[:3] == ["run", "state", "trials"]
    assert next(line for line in lines if line.startswith("two")).split()[2] == "5/8"


def test_show_svg(nas, runs):
    shown = nas("show", "one", "knee", "--svg", "knee.svg")
    assert shown.code == 0
    assert runs["one"].knee().architecture.id in Path("knee.svg").read_text()
    assert "network" in shown.out
    assert nas("show", "one", "knee", "--svg", "knee.svg").code == 2
    assert nas("show", "one", "best", "--svg", "knee.svg", "--force").code == 0
    without = nas("show", "one", "--svg", "front.svg")
    assert without.code == 2
    assert "nas show one knee --svg front.svg" in without.err


def test_without_a_terminal_delete_needs_yes(nas, runs, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    refused = nas("delete", "one")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert runs["one"].path.exists()


@pytest.mark.parametrize(("answer", "goes"), [("y\n", True), ("\n", False), ("n\n", False), ("", False)])
def test_on_a_terminal_delete_asks(nas, runs, monkeypatch, answer, goes):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    result = nas("delete", "one")
    assert "delete one (" in result.err
    assert runs["one"].path.exists() is not goes
    assert result.code == (0 if goes else 1)


def test_delete_several(nas, runs):
    unknown = nas("delete", "one", "six", "--yes")
    assert unknown.code == 4
    assert runs["one"].path.exists()
    told = nas("delete", "one", "two", "one", "--yes", "--json").document
    assert [row["run"] for row in told] == ["one", "two"]
    assert all(row["freed_bytes"] > 0 for row in told)
    assert nas("list", "--json").document == []
    with Store(sqlite_url(Path("shared.db").absolute())) as store, pytest.raises(NotFound):
        store.run("two")


def test_a_run_at_work_is_not_deleted(nas, runs):
    with runs["one"].directory.lock():
        refused = nas("delete", "one", "--yes")
    assert refused.code == 1
    assert "driven by process" in refused.err
    assert runs["one"].trials


def test_the_commands_of_a_report_are_told_after_a_search(nas, runs):
    from nas.reporting.commands import next_commands

    assert "nas report one" in next_commands(runs["one"])
