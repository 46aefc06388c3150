"""How far a job is, from what its command printed: events where it has them, else lines of progress in the log."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas.progress import PROGRESS, SEARCHING
from nas.service.jobs.folder import JobFolder

_LINE = re.compile(
    r"^(?P<task>[^:\n]+): (?P<done>\d+)(?:/(?P<total>\d+))?(?:, about (?P<left>\d+) s left)?(?: \(.*\))?$"
)


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of a task; `total` 0 and `eta_seconds` None where nobody knows."""

    task: str
    done: int
    total: int
    eta_seconds: float | None


def progress_of(folder: JobFolder) -> Progress | None:
    """The newest; None before the first."""
    told = _told_by_events(folder)
    if told is not None:
        return told
    for line in reversed(folder.tail(folder.log, 1 << 14).splitlines()):
        found = _LINE.match(line)
        if found:
            left = found["left"]
            return Progress(found["task"], int(found["done"]), int(found["total"] or 0), float(left) if left else None)
    return None


def _told_by_events(folder: JobFolder) -> Progress | None:
    newest: Progress | None = None
    for event in folder.latest_events():
        told = _of_event(event)
        newest = newest or told
        if newest is not None and told is not None and told.eta_seconds is not None:
            # an event of the search says how many are done, the last estimate before it how long they take
            return replace(newest, eta_seconds=told.eta_seconds) if told.task == newest.task else newest
    return newest


def _of_event(event: Mapping[str, Any]) -> Progress | None:
    """Of a line of `--json-events`; None where it is none."""
    try:
        if event["kind"] == PROGRESS:
            left = event["seconds_left"]
            return Progress(str(event["task"]), int(event["done"]), int(event["total"]), left)
        return Progress(SEARCHING, int(event["done"]), int(event["trials"]), None)
    except (KeyError, TypeError, ValueError):
        return None
