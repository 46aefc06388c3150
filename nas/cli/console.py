"""What a person sees: data on stdout, notes and progress on stderr."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nas.progress import PROGRESS, SEARCHING, Report

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from nas.conductor import Event

_PLAIN_LINE_EVERY_SECONDS = 10.0
_JSON_LINE_EVERY_SECONDS = 0.5
_SHORT_SECONDS = 2.0


def stdout() -> "Console":
    """Where data goes. Without a terminal lines are as long as they need to be."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, soft_wrap=not sys.stdout.isatty())


def stderr() -> "Console":
    """Where notes and errors go."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


class TerminalReporter:
    """Bars with the time left on a terminal, else a line every ten seconds; nothing but errors when `quiet`.

    With `json_events` every event of the search is a line of JSON on stdout; so is, twice a second, how far a step is:
    kind "progress", task, done, total (0: nobody knows), seconds_left (null likewise).
    """

    def __init__(self, quiet: bool = False, json_events: bool = False) -> None:
        self.quiet, self.json_events = quiet, json_events
        self._console = stderr()
        self._search: Any = None
        self._report: Report | None = None
        self._measured = 0

    def note(self, text: str) -> None:
        """A sentence on stderr."""
        if not self.quiet:
            self._console.print(text, markup=False)

    @contextmanager
    def progress(self, what: str) -> Iterator[Report]:
        """A bar, or plain lines; and lines of JSON where those are asked for."""
        with self._shown(what) as shown:
            events = _JsonLines(what) if self.json_events else None

            def report(done: int, total: int, remark: str) -> None:
                shown(done, total, remark)
                if events is not None:
                    events(done, total)

            yield report

    @contextmanager
    def _shown(self, what: str) -> Iterator[Report]:
        if self.quiet:
            yield lambda done, total, remark: None
        elif self._console.is_terminal:
            with _bar(self._console) as bar:
                task = bar.add_task(what, total=None, remark="")
                yield lambda done, total, remark: bar.update(task, completed=done, total=total or None, remark=remark)
        else:
            yield _PlainLines(what)

    @contextmanager
    def searching(self) -> Iterator[None]:
        """While entered, a bar for trials opens with the first event and closes at the end."""
        try:
            yield
        finally:
            if self._search is not None:
                self._search.__exit__(None, None, None)
                self._search = self._report = None

    def event(self, event: "Event") -> None:
        """Moves the bar of the search."""
        if self.json_events:
            sys.stdout.write(event.to_json() + "\n")
            sys.stdout.flush()
        if event.kind == "lost":
            self.note(f"a worker was lost; trial {event.number} is handed out again")
        if event.kind == "failed":
            self.note(f"trial {event.number} failed: {event.error}")
        if self._report is None:
            self._search = self.progress(SEARCHING)
            self._report = self._search.__enter__()
        volume = "" if event.hypervolume is None else f", hypervolume {event.hypervolume:.3f}"
        self._measured += event.kind == "measuring"
        speed = f", speed measured of {self._measured}" if self._measured else ""
        self._report(event.done, event.trials, f"front {event.front}{volume}, rejected {event.rejected:,}{speed}")


def _bar(console: "Console") -> "Progress":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
        console=console,
    )


class _PlainLines:
    """Progress for a log file: one line every ten seconds and one at the end; nothing for what takes two seconds."""

    def __init__(self, what: str) -> None:
        self.what, self.began = what, time.monotonic()
        self.printed = self.began + _SHORT_SECONDS - _PLAIN_LINE_EVERY_SECONDS
        self.start: tuple[float, int] | None = None

    def __call__(self, done: int, total: int, remark: str) -> None:
        now = time.monotonic()
        self.start = self.start or (now, done)  # what came before the first call was getting ready
        ended = 0 < total <= done
        if (not ended and now - self.printed < _PLAIN_LINE_EVERY_SECONDS) or now - self.began < _SHORT_SECONDS:
            return
        self.printed = now
        since, first = self.start
        seconds = _seconds_left(now - since, first, done, total)
        left = "" if seconds is None else f", about {seconds:.0f} s left"
        of = f"/{total}" if total else ""
        sys.stderr.write(f"{self.what}: {done}{of}{left}{f' ({remark})' if remark else ''}\n")
        sys.stderr.flush()


class _JsonLines:
    """Progress for programs: a line of JSON at most every half second, and one at the end."""

    def __init__(self, what: str) -> None:
        self.what, self.printed = what, float("-inf")
        self.start: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        self.start = self.start or (now, done)
        if not 0 < total <= done and now - self.printed < _JSON_LINE_EVERY_SECONDS:
            return
        self.printed = now
        since, first = self.start
        left = _seconds_left(now - since, first, done, total)
        line = {"kind": PROGRESS, "task": self.what, "done": done, "total": total, "seconds_left": left}
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def _seconds_left(passed: float, first: int, done: int, total: int) -> float | None:
    """What the rest takes at the speed so far; None where that is not known, or nothing is left."""
    return passed * (total - done) / (done - first) if first < done < total else None
