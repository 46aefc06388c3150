"""What people and jobs add to a run: a note, tags, the job that works on it. Never in its folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nas.service.jobs.supervisor import Supervisor
from nas.storage.service_store import LIVE, Labels, ServiceStore

_TOLD_OF_A_JOB = ("id", "kind", "state", "position", "progress")


@dataclass(frozen=True)
class Noted:
    """By run: labels, and the jobs that work on them or wait to."""

    labels: Mapping[str, Labels]
    jobs: Mapping[str, dict[str, Any]]

    def of(self, run: str) -> dict[str, Any]:
        """The part of a run's row: `note`, `tags`, and `job`, None where none is at work or waits."""
        labels, job = self.labels.get(run, Labels()), self.jobs.get(run)
        told = None if job is None else {key: job[key] for key in _TOLD_OF_A_JOB}
        return {"note": labels.note, "tags": list(labels.tags), "job": told}


def noted_by(store: ServiceStore, jobs: Supervisor) -> Callable[[], Noted]:
    """What is noted now, each time that it is called."""
    return lambda: Noted(store.labels(), {job.run: jobs.document(job) for job in store.jobs(states=LIVE)})
