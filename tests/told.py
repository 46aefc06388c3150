"""A reporter that keeps what it is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from nas.progress import Report, Silent


class Told(Silent):
    """`bars`: what each bar was opened for, and every (done, total) that it was moved to."""

    def __init__(self) -> None:
        self.bars: list[tuple[str, list[tuple[int, int]]]] = []

    @contextmanager
    def progress(self, what: str) -> Iterator[Report]:
        """Keeps the bar."""
        moves: list[tuple[int, int]] = []
        self.bars.append((what, moves))
        yield lambda done, total, remark: moves.append((done, total))
