"""The queue: starts jobs within the machine's limits, watches them, and finds them again after a restart.

Each step reads the table, does one thing, and writes it only where the table still says what was read, so that a crash
between two steps costs nothing: what was not written is done again. A process is known by its number and its birth,
which it notes itself; how it ended, by its exit file. One that ended without a word, or that something else than
`cancel` stopped, goes on from what it had recorded.
"""

import secrets
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nas.service.jobs import process
from nas.service.jobs.folder import ANOTHER_WORKS, JobFolder
from nas.service.jobs.progress import progress_of
from nas.service.jobs.turns import in_turn
from nas.service.security.redaction import redacted
from nas.service.settings import ServiceSettings
from nas.storage.database import now
from nas.storage.run_directory import RunDirectory
from nas.storage.service_store import LIVE, Job, JobState, ServiceStore
from search_spaces.core.errors import FitnasError, Refused

SEARCH, RESUME, TRAIN, EXPORT = "search", "resume", "train", "export"
_CANCELLING = "cancelling"
_TICK_SECONDS = 0.3
_GRACE_SECONDS = 30.0
_SECONDS_TO_APPEAR = 10.0
_MOST_ATTEMPTS = 3  # a job whose process is lost this often in a row is given up
_LONG_SECONDS = 600.0  # what ran this long before it was lost counts as one that can
_SAVED = {130: "interrupted", 143: "terminated"}
_STOPPED_EARLY = 5


@dataclass
class _Watched:
    """What is known of a running job in this process alone: the child, and when it was told to stop."""

    child: "subprocess.Popen[bytes] | None" = None
    told_to_stop: float | None = None


class Supervisor:
    """The jobs of one service. `start` begins to watch; everything else may be called from any thread."""

    def __init__(self, settings: ServiceSettings, store: ServiceStore) -> None:
        self.settings, self.store = settings, store
        self._watched: dict[str, _Watched] = {}
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="jobs", daemon=True)
        self._changing = threading.Lock()

    def start(self) -> None:
        """Finds the jobs of an earlier service, and watches from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watches no more; the processes go on."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, kind: str, run: str, arguments: Mapping[str, Any], by: str, job_id: str | None = None) -> Job:
        """Puts a job into the queue, under a new id or one that is not taken. `Refused` where another one of this run
        waits or runs.
        """
        with self._changing:
            others = self.store.jobs(states=LIVE, run=run)
            if others:
                other = others[0]
                raise Refused(
                    f"job {other.id} ({other.kind}) of run '{run}' is {other.state}; wait for it, or cancel it"
                )
            job = Job(job_id or secrets.token_hex(6), kind, run, "queued", by, dict(arguments), now())
            self.store.add_job(job)
        self._wake.set()
        return job

    def cancel(self, job_id: str) -> Job:
        """A queued job is out; a running one is told to save and end, and killed where it does not within 30 s. One
        that has ended stays as it is.
        """
        self.store.job(job_id)  # or it is not found
        with self._changing:
            if not self.store.change_job(job_id, ["queued"], state="cancelled", ended=now()):
                self.store.change_job(job_id, ["running"], message=_CANCELLING)
        self._wake.set()
        return self.store.job(job_id)

    def folder(self, job: Job) -> JobFolder:
        """Where its files are."""
        return JobFolder(self.settings.state / "jobs" / job.id)

    def position(self, job: Job) -> int | None:
        """How many of the queue start before it and itself; None where it does not wait."""
        waiting = in_turn(self.store.jobs(states=LIVE), self.store.last_starts())
        return next((place for place, each in enumerate(waiting, start=1) if each.id == job.id), None)

    def document(self, job: Job) -> dict[str, Any]:
        """A job as JSON."""
        progress = progress_of(self.folder(job)) if job.state == "running" else None
        names = ("id", "kind", "run", "state", "exit_code", "message", "created", "started", "ended", "by")
        return {
            **{name: getattr(job, name) for name in names},
            "position": self.position(job) if job.state == "queued" else None,
            "progress": vars(progress) if progress else None,
        }

    # the watching thread

    def _watch(self) -> None:
        said = ""
        while not self._ending.is_set():
            try:
                self._step()
                said = ""
            except Exception as error:  # noqa: BLE001 - a locked database, a full disk: the next step tries again
                words = str(error) if isinstance(error, FitnasError) else "".join(traceback.format_exception(error))
                if words != said:
                    sys.stderr.write(f"jobs: {redacted(words)}\n")
                said = words
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()

    def _step(self) -> None:
        """Looks at what runs, then starts what may. Whatever it is stopped at is taken up by the next one."""
        for job in self.store.jobs(states=["running"]):
            self._look_after(job)
        live = self.store.jobs(states=LIVE)
        free = self.settings.at_once - sum(job.state == "running" for job in live)
        if free > 0 and any(job.state == "queued" for job in live):
            for job in in_turn(live, self.store.last_starts())[:free]:
                self._begin(job)

    def _begin(self, job: Job) -> None:
        """Makes the files ready, says that it runs, starts the process, and notes which it is, in this order: a service
        that dies in between finds either a job that waits, or one whose process says itself that it is there.
        """
        folder = self.folder(job)
        begun = {"started": now(), "attempts": job.attempts + 1, "pid": None, "born": None, "message": None}
        try:
            folder.prepare(self._command(job), job.arguments.get("config"))
        except (FitnasError, OSError) as error:
            self._fail(job, error)
            return
        if not self.store.change_job(job.id, ["queued"], state="running", **begun):
            return  # it was cancelled in between
        try:
            child = process.start(folder, self.settings.root.parent)
        except OSError as error:
            self._fail(job, error)
            return
        self._watched[job.id] = _Watched(child)
        self.store.change_job(job.id, ["running"], pid=child.pid, born=process.born(child.pid))

    def _fail(self, job: Job, error: Exception) -> None:
        self.store.change_job(job.id, LIVE, state="failed", ended=now(), message=redacted(str(error)))

    def _command(self, job: Job) -> list[str]:
        """The arguments of `nas`; a search that has written its configuration goes on instead of beginning anew."""
        given = [str(each) for each in job.arguments["command"]]
        if job.kind == SEARCH and job.attempts:
            config = RunDirectory(self.settings.root / job.run).config
            if config.is_file() and config.stat().st_mtime >= datetime.fromisoformat(job.created).timestamp():
                return ["resume", job.run, "--json-events"]
            given += [] if "--force" in given or config.is_file() else ["--force"]  # an empty folder of its own
        return [str(self.folder(job).config) if word == "config.toml" else word for word in given]

    def _look_after(self, job: Job) -> None:
        known = self._watched.setdefault(job.id, _Watched())
        if known.child is not None:
            known.child.poll()  # or it stays a zombie
        at_work = self._at_work(job)
        if at_work is not None:
            if job.message == _CANCELLING:
                _end(at_work, known)
            return
        if self._may_still_appear(job):
            return
        with self._changing:  # a job cancelled meanwhile does not go on
            state, values = self._ended(self.store.job(job.id), known)
            self.store.change_job(job.id, ["running"], state=state, **values)
        self._watched.pop(job.id, None)

    def _at_work(self, job: Job) -> int | None:
        """The process that is at work on a job: the one that says so, or the one that was started; None where neither
        lives.
        """
        for pid, born in (self.folder(job).at_work() or (None, None), (job.pid, job.born)):
            if pid is not None and process.is_alive(pid, born):
                return pid
        return None

    def _may_still_appear(self, job: Job) -> bool:
        """Whether the service died between starting a process and noting it, so recently that it may be beginning."""
        folder = self.folder(job)
        unknown = job.pid is None and folder.at_work() is None and folder.exit_code() is None
        return unknown and folder.seconds_since_prepared() < _SECONDS_TO_APPEAR

    def _ended(self, job: Job, known: _Watched) -> tuple[JobState, dict[str, Any]]:
        """What became of a job whose process is gone, and what to write."""
        folder = self.folder(job)
        code = folder.exit_code()
        if code is None and known.child is not None and known.child.returncode not in (None, ANOTHER_WORKS):
            code = known.child.returncode if known.child.returncode >= 0 else None  # below 0: a signal ended it
        error = redacted(folder.last_error() or "") or None
        done = {"ended": now(), "exit_code": code, "message": error}
        if code == 0:
            return "complete", done | {"message": None}
        if job.message == _CANCELLING:
            return "cancelled", done
        if code == _STOPPED_EARLY:
            return "complete", done
        if code is not None and code not in _SAVED:
            return "failed", done
        attempts = 1 if _seconds_since(job.started) > _LONG_SECONDS else job.attempts
        if attempts < _MOST_ATTEMPTS:
            how = "lost" if code is None else _SAVED[code]
            return "queued", {"pid": None, "born": None, "attempts": attempts, "message": f"it was {how}, and goes on"}
        if code is None:
            return "failed", done | {"message": f"its process died {attempts} times without a word"}
        return "interrupted", done


def _end(pid: int, known: _Watched) -> None:
    """Tells a process to save what it has; kills it and all of its group where it does not."""
    if known.told_to_stop is None:
        known.told_to_stop = time.monotonic()
        process.stop(pid)
    elif time.monotonic() - known.told_to_stop > _GRACE_SECONDS:
        process.stop(pid, kill=True)


def _seconds_since(moment: str | None) -> float:
    return 0.0 if moment is None else (datetime.fromisoformat(now()) - datetime.fromisoformat(moment)).total_seconds()
