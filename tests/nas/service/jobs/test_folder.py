"""The files of a job, also where a kill or a full disk cut them off."""

import json
import os
from pathlib import Path

import pytest

from nas.service.jobs import process
from nas.service.jobs.folder import JobFolder
from nas.service.jobs.progress import Progress, progress_of


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path / "job")
    made.prepare(["search"], None)
    return made


def step(done: int, left: float | None, task: str = "searching") -> str:
    return json.dumps({"kind": "progress", "task": task, "done": done, "total": 9, "seconds_left": left}) + "\n"


def test_a_new_attempt_knows_neither_exit_code_nor_process_of_the_one_before(folder):
    folder.exit.write_text('{"code": 5}')
    folder.process.write_text('{"pid": 1, "born": 0.5}')
    folder.log.write_text("kept\n")
    assert (folder.exit_code(), folder.at_work()) == (5, (1, 0.5))
    folder.prepare(["resume"], "space = 'x'")
    assert (folder.exit_code(), folder.at_work()) == (None, None)
    assert folder.log.read_text() == "kept\n"
    assert json.loads(folder.command.read_text()) == ["resume"]


@pytest.mark.parametrize("torn", ["", '{"co', '{"code": "x"}', "[1]", "\0\0"])
def test_a_torn_exit_file_is_none(folder, torn):
    folder.exit.write_text(torn)
    folder.process.write_text(torn)
    assert folder.exit_code() is None
    assert folder.at_work() is None


def test_a_torn_last_line_of_events_is_left_out(folder):
    folder.events.write_text(step(3, 6.0) + step(4, 5.0)[:20])
    assert progress_of(folder) == Progress("searching", 3, 9, 6.0)


def test_an_event_tells_how_many_are_done_and_the_last_estimate_how_long_it_takes(folder):
    event = json.dumps({"kind": "complete", "done": 5, "trials": 9}) + "\n"
    folder.events.write_text(step(9, 1.0, "training") + step(4, 5.0) + event)
    assert progress_of(folder) == Progress("searching", 5, 9, 5.0)


def test_the_estimate_of_another_step_is_none_of_this_one(folder):
    folder.events.write_text(step(8, 1.0, "training") + step(0, None))
    assert progress_of(folder) == Progress("searching", 0, 9, None)


def test_without_events_the_log_tells(folder):
    folder.log.write_text("data digits: 12 pictures\ntraining: 3/10, about 7 s left (loss 0.5)\nnas: odd\n")
    assert progress_of(folder) == Progress("training", 3, 10, 7.0)
    assert folder.last_error() == "odd"


def test_without_files_nothing_is_known(tmp_path):
    folder = JobFolder(tmp_path / "none")
    assert (progress_of(folder), folder.exit_code(), folder.at_work(), folder.last_error()) == (None,) * 4
    assert folder.seconds_since_prepared() == float("inf")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell when a process began")
def test_a_number_that_another_process_has_now_is_not_the_process():
    pid, born = os.getpid(), process.born(os.getpid())
    assert born is not None
    assert process.is_alive(pid, born)
    assert not process.is_alive(pid, born - 1)
    assert not process.is_alive(pid, None)
    assert not process.is_alive(None, born)
