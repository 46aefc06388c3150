"""Writes what a benchmark measured into RESULTS.md: one section a benchmark, replaced by its next run."""

import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# Measured figures

One section a benchmark, each written by its own script; the command stands in it. Ratios are against a peer in the same
run; single times are of the machine named and mean little elsewhere.
"""


def write_section(title: str, rows: Sequence[Mapping[str, object]], notes: Sequence[str] = ()) -> None:
    """Prints the table and puts it under `title`, with date, machine and the command that made it."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
    command = " ".join(["python", *(_relative(argument) for argument in sys.argv)])
    about = f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}, `{command}`"
    text = "\n".join([f"## {title}", "", about, "", *lines, "", *(f"- {note}" for note in notes), ""])
    print(text)
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else _HEAD
    without = re.sub(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", "", old, flags=re.MULTILINE | re.DOTALL)
    RESULTS.write_text(without.rstrip() + "\n\n" + text.rstrip() + "\n", encoding="utf-8")


def _relative(argument: str) -> str:
    return f"benchmarks/{Path(argument).name}" if argument.endswith(".py") else argument


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores {platform.machine()}, Python {platform.python_version()}"
