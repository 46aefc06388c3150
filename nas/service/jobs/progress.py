"""How far a job is, from what its command printed."""

import re
from dataclasses import dataclass

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
    """The newest line of progress in the log; None before the first."""
    for line in reversed(folder.tail(folder.log, 1 << 14).splitlines()):
        found = _LINE.match(line)
        if found:
            left = found["left"]
            return Progress(found["task"], int(found["done"]), int(found["total"] or 0), float(left) if left else None)
    return None
