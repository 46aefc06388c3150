"""How passes are taken, by a clock that the test winds; and real measurements."""

import os
from typing import Any

import numpy as np
import pytest
import torch

from nas.core.measured import Measured, Target
from nas.evaluation import host_profile as module
from nas.evaluation.host_profile import MOST_PASSES, PASSES, check_host, host_profile, passes_left
from search_spaces.core.errors import WrongUse
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace


class Clock:
    """Each run takes a millisecond times the factor that is told."""

    def __init__(self) -> None:
        self.now, self.factor = 0.0, 1.0

    def __call__(self) -> float:
        return self.now


def space() -> SearchSpace[Any]:
    return space_class("tinynet").configured({"resolutions": "16"}, None)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, list[int]]:
    """A runtime in which row n takes n + 1 milliseconds; the rows in the order of their runs."""
    clock, log = Clock(), list[int]()

    class MadeUp:
        def __init__(self, *_: Any) -> None:
            pass

        def prepare(self, row: int) -> None:
            pass

        def run(self, row: int) -> Any:
            def once() -> None:
                log.append(row)
                clock.now += 1e-3 * (row + 1) * clock.factor

            return once

    monkeypatch.setitem(module._HOSTS, "torch", MadeUp)
    monkeypatch.setattr(module, "SECONDS_A_PASS", 0.0101)
    return clock, log


def three() -> Any:
    return space().population([*space().extremes(), space().sample(np.random.default_rng(0), 1)[0]])


def test_the_quickest_run_counts_and_runs_are_taken_in_turns(made_up: tuple[Clock, list[int]]) -> None:
    clock, log = made_up
    found = host_profile(space(), three(), Target(runtime="torch"), clock=clock)
    assert [latency.value for latency in found] == pytest.approx([1.0, 2.0, 3.0])
    assert {latency.passes for latency in found} == {PASSES}
    assert [latency.drift for latency in found] == pytest.approx([0, 0, 0], abs=1e-9)
    # a pass: two runs of each that nobody counts, then 10, 5 and 5 in turns
    assert log[:16] == [0, 0, 1, 1, 2, 2, *(0, 1, 2) * 3, 0]
    assert len(log) == PASSES * (6 + 10 + 5 + 5)


def test_a_network_of_which_no_two_passes_agree_gets_more(made_up: tuple[Clock, list[int]]) -> None:
    clock, _ = made_up
    slower = iter((1.0, 1.3, 1.3, 1.3, 1.3, 1.02))

    def told(found: Any) -> None:
        clock.factor = next(slower, 1.0)

    clock.factor = 1.3
    [latency] = host_profile(space(), three()[:1], Target(runtime="torch"), told=told, clock=clock)
    # passes at 1.3, 1.0, and four at 1.3: the seventh, at 1.02, confirms the second
    assert latency.value == pytest.approx(1.0)
    assert latency.passes == 7
    assert latency.drift == pytest.approx(0.02)


def test_passes_have_an_end(made_up: tuple[Clock, list[int]]) -> None:
    clock, _ = made_up

    def told(found: Any) -> None:
        clock.factor *= 0.9

    [latency] = host_profile(space(), three()[:1], Target(runtime="torch"), told=told, clock=clock)
    assert latency.passes == MOST_PASSES
    assert not latency.is_confirmed


def test_only_what_is_missing_is_measured(made_up: tuple[Clock, list[int]]) -> None:
    clock, log = made_up
    complete = Measured(0.5, 0.1, 0.01, PASSES, 80)
    begun = Measured(9.0, 0.1, 0.2, PASSES - 1, 30)
    told: list[int] = []
    steps: list[tuple[int, int]] = []
    found = host_profile(
        space(),
        three(),
        Target(runtime="torch"),
        [complete, begun, None],
        lambda now: told.append(sum(latency is not None for latency in now)),
        lambda done, total, remark: steps.append((done, total)),
        clock,
    )
    assert found[0] == complete
    assert set(log) == {1, 2}
    # the begun one lacked a pass, which disagrees with its others, so that it got one more
    assert [latency.passes for latency in found] == [PASSES, PASSES + 1, PASSES]
    assert found[1].value == pytest.approx(2.0)
    assert told == [3] * len(told)
    assert steps[0] == (1, 7)
    assert steps[-1][0] == steps[-1][1]


def test_how_many_passes_are_left() -> None:
    assert passes_left(None) == PASSES
    assert passes_left(Measured(1.0)) == PASSES  # of somebody who did not count
    assert passes_left(Measured(1.0, 0.0, 0.01, PASSES, 9)) == 0
    assert passes_left(Measured(1.0, 0.0, 0.2, PASSES, 9)) == 1
    assert passes_left(Measured(1.0, 0.0, 0.2, MOST_PASSES, 9)) == 0


@pytest.mark.parametrize("runtime", module.RUNTIMES)
def test_a_real_measurement_leaves_this_process_as_it_was(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_A_PASS", 0.01)
    torch.manual_seed(5)
    before = torch.get_num_threads(), os.sched_getaffinity(0), torch.get_rng_state()
    small = space().population(space().extremes()[:1])
    small = small.concatenate(space().neighbours(small[0])[:1])
    found = host_profile(space(), small, Target(runtime=runtime, batch=2))
    assert len(found) == 2
    assert all(0 < latency.value < 1e4 for latency in found)
    assert all((latency.runs or 0) >= PASSES * module.FEWEST_RUNS for latency in found)
    assert (torch.get_num_threads(), os.sched_getaffinity(0)) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert host_profile(space(), small[:0], Target(runtime=runtime)) == []


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target("pi5"), "device pi5 cannot be measured here"),
        (Target(precision="int8"), "precision int8 cannot"),
        (Target(runtime="onnx"), "did you mean 'onnxruntime'"),
        (Target(threads=1024), "1024 threads want as many processors"),
    ],
)
def test_what_this_machine_cannot_be(target: Target, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        check_host(target)
