"""`nas serve` killed in mid-run and started again: nothing is lost, and the run goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nas.run import StoredRun
from tests.nas.service.jobs.searches import LONG

_SECONDS = 40.0
_SECONDS_TO_GO_ON = 10.0


class Served:
    """One `nas serve` over `folder`, as a process."""

    def __init__(self, folder: Path) -> None:
        words = [sys.executable, "-m", "nas", "serve", "--port", "0", "--jobs", "1", "--token-file", "token"]
        self.process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip().partition("/#")[0]
        token = (folder / "token").read_text().strip()
        headers = {"authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=20)

    def kill(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Served]]:
    """Starts services over one folder; what they and their jobs leave running is killed."""
    started: list[Served] = []

    def start() -> Served:
        started.append(Served(tmp_path))
        return started[-1]

    yield start
    for each in started:
        each.kill()
    for pid in pids(tmp_path):
        kill(pid)


def pids(folder: Path) -> list[int]:
    """Processes at work on jobs, by what they say."""
    from nas.service.jobs import process
    from nas.service.jobs.folder import JobFolder

    said = [JobFolder(path).at_work() for path in (folder / "runs" / ".service" / "jobs").glob("*")]
    return [each[0] for each in said if each is not None and process.is_alive(*each)]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}/stat").exists() and ") Z" not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.01)


def until(what: Callable[[], Any]) -> Any:
    began = time.monotonic()
    while time.monotonic() - began < _SECONDS:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def recorded(folder: Path) -> int:
    try:
        return len(StoredRun.load(folder / "runs" / "signs").trials)
    except Exception:  # noqa: BLE001 - not there yet
        return 0


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell when a process began")
def test_a_run_survives_kill_9_of_the_service_and_of_its_conductor(serve, tmp_path):
    service = serve()
    started = service.client.post("/runs", json=LONG | {"run": "signs"})
    assert started.status_code == 202, started.text
    job = f"/jobs/{started.json()['job']['id']}"
    until(lambda: recorded(tmp_path) >= 3)
    (conductor,) = pids(tmp_path)

    service.kill()
    alone = recorded(tmp_path)
    until(lambda: recorded(tmp_path) > alone)  # the conductor goes on without it
    began, before = time.monotonic(), recorded(tmp_path)
    service = serve()
    until(lambda: recorded(tmp_path) > before)
    took = time.monotonic() - began
    print(f"watched again {took:.1f} s after the restart")
    assert took < _SECONDS_TO_GO_ON
    found = service.client.get(job).json()
    assert (found["state"], found["progress"]["task"]) == ("running", "searching")
    assert pids(tmp_path) == [conductor]  # the same process, and no second one

    kill(conductor)  # and now the conductor, while the service watches
    assert until(lambda: pids(tmp_path)) != [conductor]
    before = recorded(tmp_path)
    until(lambda: recorded(tmp_path) > before)

    (conductor,) = pids(tmp_path)  # and both
    service.kill()
    kill(conductor)
    before = recorded(tmp_path)
    began = time.monotonic()
    service = serve()
    until(lambda: recorded(tmp_path) > before)
    print(f"a new conductor goes on {time.monotonic() - began:.1f} s after the restart")

    assert service.client.post("/runs/signs/stop").status_code == 202
    ended = until(lambda: (now := service.client.get(job).json())["state"] != "running" and now)
    assert (ended["state"], ended["exit_code"]) == ("cancelled", 143)
    numbers = sorted(trial.number for trial in StoredRun.load(tmp_path / "runs" / "signs").trials)
    assert len(numbers) > before
    assert numbers == list(range(len(numbers)))  # none is lost, none is there twice
    resumed = service.client.post("/runs/signs/resume").json()
    assert resumed["kind"] == "resume"
    until(lambda: len(StoredRun.load(tmp_path / "runs" / "signs").trials) > len(numbers))
