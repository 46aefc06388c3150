import functools
import os
import signal
import subprocess
import sys
import threading
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
from search_spaces.core.errors import FitnasError, WrongUse
from tests.nas.execution.toy_search import read
from tests.nas.toy_space import Price, ToyEvaluator, ToySpace

OBJECTIVES = parse_objectives("accuracy,macs")
ROOT = Path(__file__).parents[3]


class Signed(ToyEvaluator):
    """Leaves a file named after its process."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(seconds)
        (folder / str(os.getpid())).touch()


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


def test_killed_workers_lose_and_double_nothing(tmp_path: Path, undisturbed: list[object]) -> None:
    killed: list[int] = []
    lost: list[int] = []

    def on_event(event: Event) -> None:
        if event.kind == "lost":
            lost.append(event.number)
        if event.kind == "complete" and event.done in (5, 15, 30):
            victim = next(int(f.name) for f in sorted(tmp_path.iterdir()) if int(f.name) not in killed)
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    conductor = conductor_of(60, on_event)
    RayTune(Settings(workers=2)).run(conductor, functools.partial(Signed, tmp_path, 0.1))
    assert facts(conductor.trials) == undisturbed
    assert len(killed) == 3
    assert lost
    # Two at first, one for each that was killed: the search went on with two workers.
    assert len(list(tmp_path.iterdir())) == 5


def test_what_recording_raises_ends_the_search(tmp_path: Path) -> None:
    def full(trial: Trial) -> None:
        if trial.number == 3:
            raise FitnasError("the disk is full")

    conductor = conductor_of(60, record=full)
    with pytest.raises(FitnasError, match="the disk is full"):
        RayTune(Settings(workers=1)).run(conductor, ToyEvaluator)
    assert len(conductor.trials) == 3


def test_another_thread_may_stop_it() -> None:
    conductor = conductor_of(10_000)
    threads = [threading.Thread(target=lambda: RayTune(Settings(workers=1)).run(conductor, ToyEvaluator))]
    threads[0].start()
    while len(conductor.trials) < 5:
        time.sleep(0.05)
    conductor.stop(StopReason.INTERRUPTED)
    threads[0].join(30)
    assert not threads[0].is_alive()


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts a search of 60 trials in a process group of its own, which is ended after the test."""
    processes: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.nas.execution.toy_search", str(tmp_path / "trials"), "60", "0.1"]
        processes.append(
            subprocess.Popen(
                [*command, "ray_tune"],
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


def test_a_search_that_is_interrupted_killed_and_terminated_ends_equal(
    tmp_path: Path, search: Callable[[], "subprocess.Popen[str]"], undisturbed: list[object]
) -> None:
    path = tmp_path / "trials"
    first = search()
    wait_for(path, 8)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: to the whole group
    assert first.communicate(timeout=60) == ("INTERRUPTED\n", "")
    assert first.returncode == 130

    second = search()
    wait_for(path, 20)
    second.kill()
    second.communicate(timeout=60)
    assert 20 <= len(read(path)) < 60

    third = search()
    wait_for(path, 35)
    os.killpg(third.pid, signal.SIGTERM)  # as `timeout` and batch systems do
    assert third.communicate(timeout=60) == ("TERMINATED\n", "")
    assert third.returncode == 143

    last = search()
    assert last.communicate(timeout=120) == ("TRIALS\n", "")
    assert last.returncode == 0
    assert facts(read(path)) == undisturbed


def test_a_cluster_that_does_not_answer_is_an_error_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(FitnasError, match=r"no Ray cluster answers at '127.0.0.1:1'.*--ray-address"):
        RayTune(Settings(ray_address="127.0.0.1:1")).run(conductor_of(5), ToyEvaluator)


def test_the_client_protocol_is_refused() -> None:
    with pytest.raises(WrongUse, match="ray://"):
        RayTune(Settings(ray_address="ray://head:10001")).run(conductor_of(5), ToyEvaluator)
