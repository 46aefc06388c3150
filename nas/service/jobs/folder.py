"""The files of one job: `.service/jobs/<id>/`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.storage.files import os_errors_explained, write_atomically


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
    def config(self) -> Path:
        """`config.toml`: of a search."""
        return self.path / "config.toml"

    def prepare(self, arguments: list[str], config: str | None) -> None:
        """Writes the command, and what it reads; what an earlier attempt said stays in the log."""
        with os_errors_explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self.exit.unlink(missing_ok=True)
        if config is not None:
            write_atomically(self.config, config)
        write_atomically(self.command, json.dumps(arguments))

    def exit_code(self) -> int | None:
        """None where the command has not ended, or was killed."""
        try:
            return int(json.loads(self.exit.read_text(encoding="utf-8"))["code"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def last_error(self) -> str | None:
        """What the command said last to people, where it said `nas: ...`; None otherwise."""
        lines = [line for line in self.tail(self.log, 1 << 14).splitlines() if line.startswith("nas: ")]
        return lines[-1].removeprefix("nas: ") if lines else None

    def last_event(self) -> dict[str, Any] | None:
        """The newest whole line of events; None where there is none. A torn last line is left out."""
        for line in reversed(self.tail(self.events, 1 << 14).splitlines()):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
        return None

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
