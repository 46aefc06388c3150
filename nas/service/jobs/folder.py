"""The files of one job: `.service/jobs/<id>/`."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.storage.files import os_errors_explained, write_atomically

ANOTHER_WORKS = 75
"""Exit code of a process that found another one at work on its job, and left it alone."""


@dataclass(frozen=True)
class JobFolder:
    """Paths, made on first use. `events`: what the command writes to stdout; `log`: to stderr."""

    path: Path

    @property
    def command(self) -> Path:
        """`command.json`: the arguments of `nas`."""
        return self.path / "command.json"

    @property
    def events(self) -> Path:
        """`events.jsonl`, or whatever the command prints."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """`log.txt`: notes and progress for people."""
        return self.path / "log.txt"

    @property
    def exit(self) -> Path:
        """`exit.json`: there once the command has ended by itself."""
        return self.path / "exit.json"

    @property
    def process(self) -> Path:
        """`process.json`: who is at work. The process itself writes it, whatever becomes of the service."""
        return self.path / "process.json"

    @property
    def lock(self) -> Path:
        """`process.lock`: held by who is at work."""
        return self.path / "process.lock"

    @property
    def config(self) -> Path:
        """`config.toml`: of a search."""
        return self.path / "config.toml"

    def prepare(self, arguments: list[str], config: str | None) -> None:
        """Writes the command, and what it reads; what an earlier attempt said stays in the log. May be done again."""
        with os_errors_explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self.exit.unlink(missing_ok=True)
            self.process.unlink(missing_ok=True)
        if config is not None:
            write_atomically(self.config, config)
        write_atomically(self.command, json.dumps(arguments))

    def exit_code(self) -> int | None:
        """None where the command has not ended, or was killed."""
        try:
            return int(json.loads(self.exit.read_text(encoding="utf-8"))["code"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def at_work(self) -> tuple[int, float | None] | None:
        """The number of the process that began this attempt, and when that was born; None before it has said so."""
        try:
            found = json.loads(self.process.read_text(encoding="utf-8"))
            return int(found["pid"]), found["born"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def seconds_since_prepared(self) -> float:
        """How long ago this attempt was made ready; without end where none was."""
        try:
            return abs(time.time() - self.command.stat().st_mtime)
        except OSError:
            return float("inf")

    def last_error(self) -> str | None:
        """What the command said last to people, where it said `nas: ...`; None otherwise."""
        lines = [line for line in self.tail(self.log, 1 << 14).splitlines() if line.startswith("nas: ")]
        return lines[-1].removeprefix("nas: ") if lines else None

    def latest_events(self) -> Iterator[dict[str, Any]]:
        """Whole lines of the end of the events, the newest first. A torn last line is left out."""
        for line in reversed(self.tail(self.events, 1 << 14).splitlines()):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found

    @staticmethod
    def tail(path: Path, most_bytes: int) -> str:
        """The end of a file; nothing where it is not there."""
        try:
            with path.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(file.tell() - most_bytes, 0))
                return file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
