import os
import signal
import threading
import time

import pytest

from nas.conductor import Conductor, StopReason
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.execution.inline import Inline
from nas.strategies.evolution import Evolution
from search_spaces.core.architecture import Architecture
from tests.nas.toy_space import Price, ToyEvaluator, ToySpace

OBJECTIVES = parse_objectives("accuracy,macs")


def make(trials: int = 10, recorded: tuple[Trial, ...] = ()) -> Conductor:
    space = ToySpace()
    strategy = Evolution(space, OBJECTIVES, trials)
    return Conductor(
        space,
        strategy,
        Price(3000),
        objectives=OBJECTIVES,
        record=lambda trial: None,
        trials=trials,
        recorded=recorded,
    )


def test_it_evaluates_one_after_the_other() -> None:
    conductor = make()
    account = Inline().run(conductor, ToyEvaluator)
    assert len(conductor.trials) == 10
    assert account.workers == 1
    assert 0 < account.evaluation_seconds <= account.wall_seconds


def test_what_building_the_evaluator_raises_is_raised() -> None:
    def broken() -> ToyEvaluator:
        raise OSError("no weights")

    with pytest.raises(OSError, match="no weights"):
        Inline().run(make(), broken)


def test_the_evaluator_is_not_built_where_nothing_is_left() -> None:
    done = make()
    Inline().run(done, ToyEvaluator)

    def never() -> ToyEvaluator:
        raise AssertionError

    account = Inline().run(make(recorded=done.trials), never)
    assert account.evaluation_seconds == 0


class Signalling(ToyEvaluator):
    """Sends a signal to this process in its fourth evaluation, then goes on for a minute unless it is left."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number = number
        self.count = 0

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        self.count += 1
        if self.count == 4:
            os.kill(os.getpid(), self.number)
            end = time.monotonic() + 60
            while time.monotonic() < end:
                time.sleep(0.01)
        return super().evaluate(architecture)


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGINT, StopReason.INTERRUPTED), (signal.SIGTERM, StopReason.TERMINATED)]
)
def test_a_signal_drops_the_evaluation_under_way_and_a_resumed_search_ends_equal(
    number: signal.Signals, reason: StopReason
) -> None:
    before = signal.getsignal(number)
    stopped, whole = make(), make()
    Inline().run(stopped, lambda: Signalling(number))
    Inline().run(whole, ToyEvaluator)
    assert stopped.reason is reason
    assert [trial.number for trial in stopped.trials] == [0, 1, 2]
    assert signal.getsignal(number) == before
    resumed = make(recorded=stopped.trials)
    Inline().run(resumed, ToyEvaluator)
    assert [t.architecture for t in resumed.trials] == [t.architecture for t in whole.trials]


def test_a_second_interruption_is_a_keyboard_interrupt() -> None:
    class Deaf(ToyEvaluator):
        def evaluate(self, architecture: Architecture) -> dict[str, float]:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(1)
            return {}

    with pytest.raises(KeyboardInterrupt):
        Inline().run(make(), Deaf)


def test_outside_the_main_thread_it_runs_and_is_stopped_by_the_conductor() -> None:
    conductor = make(10_000)
    thread = threading.Thread(target=lambda: Inline().run(conductor, lambda: ToyEvaluator(seconds=0.01)))
    thread.start()
    while len(conductor.trials) < 3:
        time.sleep(0.01)
    conductor.stop(StopReason.INTERRUPTED)
    thread.join(30)
    assert not thread.is_alive()
    assert conductor.reason is StopReason.INTERRUPTED
