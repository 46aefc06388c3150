"""Who comes next: those who ask take turns, however much one of them asks for."""

from collections import Counter
from collections.abc import Mapping, Sequence

from nas.storage.service_store import Job


def in_turn(jobs: Sequence[Job], last_starts: Mapping[str, str]) -> list[Job]:
    """The queued ones of `jobs` in the order in which they start.

    Work that was lost and goes on comes first. Then those come who have fewest running; of these, those whose last
    start is longest ago (`last_starts`: by who asked, ISO 8601), and of one caller's the oldest.
    """
    running = Counter(job.by for job in jobs if job.state == "running")
    served: dict[str, tuple[int, str]] = {by: (0, when) for by, when in last_starts.items()}
    waiting = [job for job in jobs if job.state == "queued"]
    order: list[Job] = []

    def rank(job: Job) -> tuple[bool, int, tuple[int, str], str, str]:
        return job.attempts == 0, running[job.by], served.get(job.by, (0, "")), job.created, job.id

    while waiting:
        following = min(waiting, key=rank)
        running[following.by] += 1
        served[following.by] = (len(order) + 1, "")  # later than every start that was
        waiting.remove(following)
        order.append(following)
    return order
