"""The queue: starts jobs within the machine's limits, watches them, and finds them again after a restart.

Each step reads the table, does one thing, and writes it only where the table still says what was read, so that a crash
between two steps costs nothing: what was not written is done again.
"""

import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.service.jobs import process
from nas.service.jobs.folder import JobFolder
from nas.service.jobs.progress import progress_of
from nas.service.security.redaction import redacted
from nas.service.settings import ServiceSettings
from nas.storage.run_directory import RunDirectory
from nas.storage.service_store import LIVE, Job, JobState, ServiceStore, now
from search_spaces.core.errors import FitnasError, Refused

SEARCH, RESUME, TRAIN, EXPORT = "search", "resume", "train", "export"
_CANCELLING = "cancelling"
_TICK_SECONDS = 0.3
_GRACE_SECONDS = 30.0
_MOST_ATTEMPTS = 3  # a job whose process dies without a word this often is failed
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

    def add(self, kind: str, run: str, arguments: Mapping[str, Any], by: str) -> Job:
        """Puts a job into the queue. `Refused` where another one of this run waits or runs."""
        with self._changing:
            others = self.store.jobs(states=LIVE, run=run)
            if others:
                other = others[0]
                raise Refused(
                    f"job {other.id} ({other.kind}) of run '{run}' is {other.state}; wait for it, or cancel it"
                )
            job = Job(secrets.token_hex(6), kind, run, "queued", by, dict(arguments), now())
            self.store.add_job(job)
        self._wake.set()
        return job

    def cancel(self, job_id: str) -> Job:
        """A queued job is out; a running one is told to save and end, and killed where it does not."""
        job = self.store.job(job_id)
        if not self.store.change_job(job_id, ["queued"], state="cancelled", ended=now()):
            self.store.change_job(job_id, ["running"], message=_CANCELLING)
        self._wake.set()
        return self.store.job(job.id)

    def folder(self, job: Job) -> JobFolder:
        """Where its files are."""
        return JobFolder(self.settings.state / "jobs" / job.id)

    def position(self, job: Job) -> int | None:
        """How many of the queue start before it and itself; None where it does not wait."""
        waiting = _in_turn(self.store.jobs(states=LIVE))
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
        while not self._ending.is_set():
            try:
                self._step()
            except FitnasError as error:  # a locked database, a full disk: the next step tries again
                self._say(str(error))
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()

    def _step(self) -> None:
        for job in self.store.jobs(states=["running"]):
            self._look_after(job)
        live = self.store.jobs(states=LIVE)
        free = self.settings.at_once - sum(job.state == "running" for job in live)
        for job in _in_turn(live)[: max(free, 0)]:
            self._begin(job)

    def _begin(self, job: Job) -> None:
        folder = self.folder(job)
        try:
            folder.prepare(self._command(job), job.arguments.get("config"))
            child = process.start(folder, self.settings.root.parent)
        except (FitnasError, OSError) as error:
            self.store.change_job(job.id, ["queued"], state="failed", ended=now(), message=str(error))
            return
        values = {"pid": child.pid, "born": process.born(child.pid), "attempts": job.attempts + 1}
        if not self.store.change_job(job.id, ["queued"], state="running", started=job.started or now(), **values):
            process.stop(child.pid, kill=True)  # it was cancelled in between
            child.wait()
            return
        self._watched[job.id] = _Watched(child)

    def _command(self, job: Job) -> list[str]:
        """The arguments of `nas`; a search that has written its configuration goes on instead of beginning anew."""
        given = [str(each) for each in job.arguments["command"]]
        if job.kind == SEARCH and job.attempts and RunDirectory(self.settings.root / job.run).config.is_file():
            return ["resume", job.run, "--json-events"]
        return [str(self.folder(job).config) if word == "config.toml" else word for word in given]

    def _look_after(self, job: Job) -> None:
        known = self._watched.setdefault(job.id, _Watched())
        if known.child is not None:
            known.child.poll()  # or it stays a zombie
        if process.is_alive(job.pid, job.born):
            if job.message == _CANCELLING:
                self._end(job, known)
            return
        self._watched.pop(job.id, None)
        state, values = self._ended(job)
        self.store.change_job(job.id, ["running"], state=state, **values)

    def _end(self, job: Job, known: _Watched) -> None:
        assert job.pid is not None
        if known.told_to_stop is None:
            known.told_to_stop = time.monotonic()
            process.stop(job.pid)
        elif time.monotonic() - known.told_to_stop > _GRACE_SECONDS:
            process.stop(job.pid, kill=True)

    def _ended(self, job: Job) -> tuple[JobState, dict[str, Any]]:
        """What became of a job whose process is gone, and what to write."""
        folder = self.folder(job)
        code = folder.exit_code()
        done = {"ended": now(), "exit_code": code}
        if job.message == _CANCELLING:
            return "cancelled", {**done, "message": folder.last_error()}
        if code is None:
            if job.attempts < _MOST_ATTEMPTS:
                return "queued", {"pid": None, "born": None, "message": "its process was lost; it goes on"}
            return "failed", {**done, "message": f"its process died {job.attempts} times without a word"}
        if code in (0, _STOPPED_EARLY):
            return "complete", {**done, "message": folder.last_error() if code else None}
        return ("interrupted" if code in _SAVED else "failed"), {**done, "message": folder.last_error()}

    def _say(self, words: str) -> None:
        sys.stderr.write(f"jobs: {redacted(words)}\n")


def _in_turn(jobs: Sequence[Job]) -> list[Job]:
    """The queued ones in the order in which they start: those who have fewest running come first, then the oldest."""
    running = Counter(job.by for job in jobs if job.state == "running")
    waiting = [job for job in jobs if job.state == "queued"]
    order = []
    while waiting:
        following = min(waiting, key=lambda job: (running[job.by], job.created, job.id))
        running[following.by] += 1
        waiting.remove(following)
        order.append(following)
    return order
