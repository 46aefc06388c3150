"""Jobs as real processes: lost, stopped, found again, cancelled at any moment."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from nas.service.jobs import process, supervisor
from nas.service.jobs.supervisor import EXPORT, SEARCH, Supervisor
from nas.service.service import Service
from nas.storage.database import now
from nas.storage.service_store import Job
from search_spaces.core.errors import NotFound, Refused
from tests.nas.service.jobs.searches import LONG, as_toml

SHORT = ["devices", "--json"]
_SECONDS = 25.0


@pytest.fixture
def jobs(service: Service) -> Iterator[Supervisor]:
    """Watches only when a test says `_step`. What still runs in the end is killed."""
    yield service.jobs
    for job in service.store.jobs(states=["running"]):
        at_work = service.jobs._at_work(job)
        if at_work is not None:
            process.stop(at_work, kill=True)
    for known in service.jobs._watched.values():
        if known.child is not None:
            known.child.wait()


def until(jobs: Supervisor, job: Job, holds: Callable[[Job], bool]) -> Job:
    """Steps until something holds of a job; the job then."""
    began = time.monotonic()
    while time.monotonic() - began < _SECONDS:
        jobs._step()
        found = jobs.store.job(job.id)
        if holds(found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found}, log: {jobs.folder(found).tail(jobs.folder(found).log, 2000)}")


def has_ended(job: Job) -> bool:
    return job.state not in ("queued", "running")


def long_search(jobs: Supervisor, run: str = "long") -> Job:
    command = ["search", "--config", "config.toml", "--json-events"]
    return jobs.add(SEARCH, run, {"command": command, "config": as_toml(LONG | {"run": run})}, "ann")


def is_there(jobs: Supervisor) -> Callable[[Job], bool]:
    return lambda job: job.state == "running" and jobs.folder(job).at_work() is not None


def restarted(jobs: Supervisor) -> Supervisor:
    """What a service knows that was killed and started again: the table and the files."""
    return Supervisor(jobs.settings, jobs.store)


def test_a_command_runs_and_its_exit_code_is_its_state(jobs):
    good = until(jobs, jobs.add(EXPORT, "a", {"command": SHORT}, "ann"), has_ended)
    assert (good.state, good.exit_code, good.message, good.attempts) == ("complete", 0, None, 1)
    assert '"stm32f746"' in jobs.folder(good).events.read_text()
    bad = until(jobs, jobs.add(EXPORT, "a", {"command": ["show", "nowhere"]}, "ann"), has_ended)
    assert (bad.state, bad.exit_code) == ("failed", 4)
    assert "nowhere" in bad.message


def test_one_job_a_run_and_as_many_at_once_as_fit(jobs):
    first = jobs.add(EXPORT, "a", {"command": SHORT}, "ann")
    with pytest.raises(Refused, match=first.id):
        jobs.add(EXPORT, "a", {"command": SHORT}, "bob")
    second, third = (jobs.add(EXPORT, run, {"command": SHORT}, by) for run, by in (("b", "ann"), ("c", "bob")))
    jobs._step()
    assert [jobs.store.job(job.id).state for job in (first, second, third)] == ["running", "queued", "queued"]
    assert [jobs.position(job) for job in (first, third, second)] == [None, 1, 2]
    until(jobs, second, has_ended)
    ended = {name: jobs.store.job(job.id).ended for name, job in (("first", first), ("second", second), ("c", third))}
    assert sorted(ended, key=lambda name: ended[name]) == ["first", "c", "second"]


def test_a_process_that_dies_without_a_word_is_started_again_three_times_in_all(jobs):
    job = long_search(jobs)
    for attempt in (1, 2, 3):
        found = until(jobs, job, lambda job, attempt=attempt: is_there(jobs)(job) and job.attempts == attempt)
        os.kill(found.pid, signal.SIGKILL)
        jobs._watched[job.id].child.wait()
    ended = until(jobs, job, has_ended)
    assert (ended.state, ended.attempts) == ("failed", 3)
    assert "3 times" in ended.message


def test_a_process_that_was_started_but_never_noted_is_found_by_what_it_says_itself(jobs):
    job = jobs.store.job(long_search(jobs).id)
    jobs.folder(job).prepare(jobs._command(job), job.arguments["config"])
    jobs.store.change_job(job.id, ["queued"], state="running", started=now(), attempts=1)
    child = process.start(jobs.folder(job), jobs.settings.root.parent)
    again = restarted(jobs)
    again._step()  # it may not have said anything yet
    found = until(again, job, is_there(again))
    assert again._at_work(found) == child.pid
    again._step()
    assert again.store.job(job.id).attempts == 1
    second = process.start(jobs.folder(job), jobs.settings.root.parent)
    assert second.wait() == 75  # it leaves the work to the first one
    child.kill()
    child.wait()


def test_a_job_that_was_to_run_but_never_began_begins(jobs, monkeypatch):
    job = jobs.add(EXPORT, "a", {"command": SHORT}, "ann")
    jobs.folder(job).prepare(SHORT, None)
    jobs.store.change_job(job.id, ["queued"], state="running", started=now(), attempts=1)
    again = restarted(jobs)
    again._step()
    assert again.store.job(job.id).state == "running"  # its process may be about to appear
    monkeypatch.setattr(supervisor, "_SECONDS_TO_APPEAR", 0.0)
    ended = until(again, job, has_ended)
    assert (ended.state, ended.attempts) == ("complete", 2)


def test_what_ended_while_nobody_watched_is_read_from_its_exit_file(jobs):
    job = jobs.add(EXPORT, "a", {"command": SHORT}, "ann")
    jobs._step()
    jobs._watched[job.id].child.wait()
    ended = until(restarted(jobs), job, has_ended)
    assert (ended.state, ended.exit_code, ended.attempts) == ("complete", 0, 1)


def test_another_process_that_got_the_number_is_neither_waited_for_nor_told_to_stop(jobs):
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        job = jobs.add(EXPORT, "a", {"command": SHORT}, "ann")
        jobs.folder(job).prepare(SHORT, None)
        stale = {"pid": other.pid, "born": process.born(other.pid) - 1, "message": "cancelling"}
        jobs.store.change_job(job.id, ["queued"], state="running", started=now(), attempts=1, **stale)
        assert until(restarted(jobs), job, has_ended).state == "cancelled"
        assert other.poll() is None
        other.kill()


def test_cancelling_saves_and_ends_what_runs_and_takes_out_what_waits(jobs):
    running, waiting = long_search(jobs), long_search(jobs, "later")
    until(jobs, running, is_there(jobs))
    assert jobs.cancel(waiting.id).state == "cancelled"
    assert jobs.cancel(running.id).state == "running"
    ended = until(jobs, running, has_ended)
    assert (ended.state, ended.attempts) == ("cancelled", 1)
    assert jobs.cancel(running.id) == ended  # once more changes nothing
    with pytest.raises(NotFound):
        jobs.cancel("nowhere")


def test_what_does_not_end_when_told_to_is_killed(jobs, monkeypatch):
    monkeypatch.setattr(supervisor, "_GRACE_SECONDS", 0.3)
    job = long_search(jobs)
    pid = until(jobs, job, is_there(jobs)).pid
    os.kill(pid, signal.SIGSTOP)
    jobs.cancel(job.id)
    assert until(jobs, job, has_ended).state == "cancelled"
    assert not process.is_alive(pid, process.born(pid))


def test_a_job_that_was_cancelled_as_its_process_died_does_not_go_on(jobs):
    job = long_search(jobs)
    pid = until(jobs, job, is_there(jobs)).pid
    stale = jobs.store.job(job.id)
    os.kill(pid, signal.SIGKILL)
    jobs._watched[job.id].child.wait()
    jobs.cancel(job.id)
    jobs._look_after(stale)  # read before it was cancelled
    assert jobs.store.job(job.id).state == "cancelled"


def test_a_folder_that_cannot_be_made_fails_its_own_job_alone(jobs):
    broken, good = (jobs.add(EXPORT, run, {"command": SHORT}, "ann") for run in ("a", "b"))
    jobs.folder(broken).path.parent.mkdir(parents=True)
    jobs.folder(broken).path.write_text("in the way")
    assert until(jobs, good, has_ended).state == "complete"
    failed = jobs.store.job(broken.id)
    assert (failed.state, failed.attempts) == ("failed", 0)
    assert failed.message


def test_services_that_share_a_database_leave_each_others_jobs_alone(service, settings, tmp_path):
    shared = f"sqlite:///{tmp_path / 'shared.db'}"
    one, two = (Service(replace(settings, root=tmp_path / name, store=shared)) for name in ("one", "two"))
    try:
        job = one.jobs.add(EXPORT, "a", {"command": SHORT}, "ann")
        two.jobs._step()
        assert two.store.jobs() == []
        assert one.store.job(job.id).state == "queued"
    finally:
        one.stop()
        two.stop()
