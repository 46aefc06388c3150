"""A command line in a process of its own that starts at once."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.forked import forked

PATIENCE_S = 180.0


class WarmProcess:
    """What the tests use of a `Popen` with pipes."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, largest_file: int | None = None) -> None:
        """Runs `nas` in `folder`; no file can grow beyond `largest_file` bytes, as on a full disk."""
        self._told = tempfile.TemporaryDirectory()
        out, err = (Path(self._told.name) / name for name in ("out", "err"))
        self._process = forked(_run, arguments, folder, largest_file, out, err)
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("nas", timeout or 0.0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end; what was printed on stdout and stderr."""
        self.wait(timeout)
        folder = Path(self._told.name)
        return (folder / "out").read_text(), (folder / "err").read_text()

    def send_signal(self, number: int) -> None:
        if self.pid is not None and self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Ends it where it runs still."""
        self.kill()
        self.wait()
        self._told.cleanup()


def _run(arguments: tuple[str, ...], folder: Path, largest_file: int | None, out: Path, err: Path) -> None:
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    if largest_file is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    from nas.cli.main import run

    sys.argv = ["nas", *arguments]
    run()


def recorded(run: Path) -> int:
    """How many trials the database of a run's folder holds, read as another program would."""
    path = run / "run.db"
    if not path.is_file():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute("select count(*) from fitnas_trials").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def wait_until(condition: Callable[[], object], process: WarmProcess) -> None:
    """Returns once it holds; fails where the process ends before."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the search did not get that far"
        time.sleep(0.02)
