import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.conductor import Conductor, Event, StopReason
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.execution.backend import Settings
from nas.execution.inline import Inline
from nas.execution.ray_tune import RayTune
from nas.strategies.evolution import Evolution
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, WrongUse
from tests.nas.execution.toy_search import read
from tests.nas.toy_space import Price, ToyEvaluator, ToySpace

OBJECTIVES = parse_objectives("accuracy,macs")
ROOT = Path(__file__).parents[3]
PATIENCE_S = 120.0


class Signed(ToyEvaluator):
    """Leaves a file named after its process, and another one while it evaluates.

    It evaluates only while two are up that were not killed, so that every kill meets two workers, however long one
    takes to start.
    """

    def __init__(self, up: Path, busy: Path, killed: Path) -> None:
        super().__init__()
        self.up, self.busy, self.killed = up, busy, killed
        (up / str(os.getpid())).touch()

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        end = time.monotonic() + PATIENCE_S
        mine = self.busy / str(os.getpid())
        mine.touch()
        while len(list(self.up.iterdir())) < 2 + len(list(self.killed.iterdir())):
            if time.monotonic() > end:
                raise TimeoutError("no worker took the place of the killed one")
            time.sleep(0.01)
        time.sleep(0.1)
        mine.unlink()
        return super().evaluate(architecture)


def conductor_of(
    trials: int, on_event: Callable[[Event], None] | None = None, record: Callable[[Trial], None] = lambda trial: None
) -> Conductor:
    space = ToySpace()
    strategy = Evolution(space, OBJECTIVES, trials)
    return Conductor(
        space, strategy, Price(3000), objectives=OBJECTIVES, record=record, trials=trials, on_event=on_event
    )


def facts(trials: list[Trial] | tuple[Trial, ...]) -> list[object]:
    ordered = sorted(trials, key=lambda trial: trial.number)
    return [(t.number, t.architecture, dict(t.metrics), t.state, t.rejected) for t in ordered]


@pytest.fixture(scope="module")
def undisturbed() -> list[object]:
    conductor = conductor_of(60)
    Inline().run(conductor, ToyEvaluator)
    return facts(conductor.trials)


def test_killed_workers_lose_and_double_nothing(ray_cluster: str, tmp_path: Path, undisturbed: list[object]) -> None:
    folders = tmp_path / "up", tmp_path / "busy", tmp_path / "killed"
    up, busy, killed = folders
    for folder in folders:
        folder.mkdir()
    lost: list[int] = []

    def on_event(event: Event) -> None:
        if event.kind == "lost":
            lost.append(event.number)
        gone = {file.name for file in killed.iterdir()}
        victims = {file.name for file in busy.iterdir()} - gone
        if victims and len(gone) < 3 and event.done >= (5, 15, 30)[len(gone)]:
            (killed / min(victims)).touch()
            os.kill(int(min(victims)), signal.SIGKILL)

    conductor = conductor_of(60, on_event)
    RayTune(Settings(workers=2, ray_address=ray_cluster)).run(conductor, functools.partial(Signed, *folders))
    assert facts(conductor.trials) == undisturbed
    assert len(list(killed.iterdir())) == 3
    assert lost
    # Two at first, one for each that was killed: the search went on with two workers.
    assert len(list(up.iterdir())) == 5


def test_what_recording_raises_ends_the_search(ray_cluster: str) -> None:
    def full(trial: Trial) -> None:
        if trial.number == 3:
            raise FitnasError("the disk is full")

    conductor = conductor_of(60, record=full)
    with pytest.raises(FitnasError, match="the disk is full"):
        RayTune(Settings(workers=1, ray_address=ray_cluster)).run(conductor, ToyEvaluator)
    assert len(conductor.trials) == 3


def test_a_deadline_awaits_the_evaluations_under_way(ray_cluster: str) -> None:
    conductor = conductor_of(60)

    def on_event(event: Event) -> None:
        if event.done == 4:
            conductor.stop(StopReason.DEADLINE)

    conductor = conductor_of(60, on_event)
    RayTune(Settings(workers=2, ray_address=ray_cluster)).run(conductor, functools.partial(ToyEvaluator, seconds=0.2))
    assert conductor.reason is StopReason.DEADLINE
    assert len(conductor.trials) == 5
    assert conductor.in_flight == 0


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Starts a search of 60 trials in a process group of its own, which is ended after the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(backend: str) -> "subprocess.Popen[str]":
        seconds = "0" if backend == "inline" else "0.1"  # the others must still be at work when a signal comes
        command = [sys.executable, "-m", "tests.nas.execution.toy_search", str(tmp_path / "trials"), "60", seconds]
        processes.append(
            subprocess.Popen(
                [*command, backend],
                cwd=ROOT,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_for(path: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(read(path)) < count and time.monotonic() < end:
        time.sleep(0.02)


def test_a_search_that_is_terminated_and_killed_ends_equal(
    tmp_path: Path, search: Callable[[str], "subprocess.Popen[str]"], undisturbed: list[object]
) -> None:
    path = tmp_path / "trials"
    first = search("ray_tune")
    wait_for(path, 8)
    os.killpg(first.pid, signal.SIGTERM)  # as `timeout` and batch systems do: to the whole group
    assert first.communicate(timeout=60) == ("TERMINATED\n", "")
    assert first.returncode == 143

    second = search("ray_tune")
    wait_for(path, 20)
    second.kill()
    second.communicate(timeout=60)
    assert 20 <= len(read(path)) < 60

    last = search("inline")
    assert last.communicate(timeout=120) == ("TRIALS\n", "")
    assert last.returncode == 0
    assert facts(read(path)) == undisturbed


def test_a_cluster_that_does_not_answer_is_an_error_with_the_way_out() -> None:
    with pytest.raises(FitnasError, match=r"no Ray cluster answers at '127.0.0.1:1'.*--ray-address"):
        RayTune(Settings(ray_address="127.0.0.1:1")).run(conductor_of(5), ToyEvaluator)


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port", ""])
def test_addresses_that_cannot_work_are_wrong_use(address: str) -> None:
    with pytest.raises(WrongUse, match="--ray-address"):
        RayTune(Settings(ray_address=address)).run(conductor_of(5), ToyEvaluator)
