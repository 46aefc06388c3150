"""One job's process, known by its number and by when it began: numbers are used again, the two together are not."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from nas.service.jobs.folder import JobFolder

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def start(folder: JobFolder, where: Path) -> "subprocess.Popen[bytes]":
    """A process of its own session, so that it outlives the service; `where`: the folder that holds `runs`."""
    with folder.events.open("ab") as events, folder.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "nas.cli.job", str(folder.path)],
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=events,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )


def born(pid: int) -> float | None:
    """When a process began, in seconds since the machine did; None where there is none, or the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19]) / _TICKS  # the state, and the 22nd field of the line


def is_alive(pid: int | None, when: float | None) -> bool:
    """Whether this very process still runs."""
    if pid is None:
        return False
    if Path("/proc/self/stat").exists():
        return when is not None and born(pid) == when
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def this() -> dict[str, Any]:
    """Number and birth of this very process, as JSON."""
    return {"pid": os.getpid(), "born": born(os.getpid())}


def stop(pid: int, kill: bool = False) -> None:
    """Asks a process to end, saving what it has; or ends it and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if kill:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)
