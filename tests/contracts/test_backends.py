"""What every backend keeps to. Real workers, so few and small searches."""

import functools
import threading
from pathlib import Path

import numpy as np
import pytest

from nas.conductor import Conductor, StopReason
from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.execution import backend_class, backend_names
from nas.execution.backend import Accounting, Settings
from nas.strategies.evolution import Evolution
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, Infeasible, WrongUse
from tests.nas.toy_space import Price, ToyEvaluator, ToySpace

OBJECTIVES = parse_objectives("accuracy,macs")
TRIALS = 30


class FailsSometimes(ToyEvaluator):
    """Raises for one option of the first choice, gives a NaN for another."""

    def evaluate(self, architecture: Architecture) -> dict[str, float]:
        if architecture.options["c00"] == 1:
            raise ValueError("one is not evaluated")
        if architecture.options["c00"] == 2:
            return {"top1": float("nan")}
        return super().evaluate(architecture)


class CannotBeBuilt(ToyEvaluator):
    def __init__(self, folder: Path) -> None:
        raise FitnasError(f"no weights in {folder}")


def conductor_of(record: list[Trial], trials: int = TRIALS, limit: float = 3000) -> Conductor:
    space = ToySpace()
    strategy = Evolution(space, OBJECTIVES, trials)
    return Conductor(space, strategy, Price(limit), objectives=OBJECTIVES, record=record.append, trials=trials, seed=4)


@pytest.fixture(params=backend_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_failures_are_recorded_large_arrays_arrive_and_the_archive_is_the_same_everywhere(
    name: str, ray_cluster: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make = functools.partial(FailsSometimes, offsets=np.linspace(0, 0.1, 3_000_000))
    record: list[Trial] = []
    conductor = conductor_of(record)
    account = backend_class(name)(Settings(workers=2, ray_address=ray_cluster)).run(conductor, make)
    alone = conductor_of([])
    backend_class("inline")().run(alone, make)

    def facts(trials: tuple[Trial, ...]) -> list[object]:
        return [(t.number, t.architecture, t.state, dict(t.metrics), t.error, t.rejected) for t in trials]

    assert facts(conductor.trials) == facts(alone.trials)
    assert sorted(trial.number for trial in record) == list(range(TRIALS))
    errors = {trial.error.split(" (")[0] for trial in conductor.trials if trial.state == "failed"}
    assert errors == {"ValueError: one is not evaluated", "top1 is nan"}
    assert conductor.reason is StopReason.TRIALS
    assert isinstance(account, Accounting)
    assert account.evaluation_seconds == conductor.evaluation_seconds
    assert capfd.readouterr() == ("", "")


def test_an_evaluator_that_cannot_be_built_ends_the_search_with_its_message(name: str, ray_cluster: str) -> None:
    with pytest.raises(FitnasError, match="no weights in nowhere"):
        backend_class(name)(Settings(workers=1, ray_address=ray_cluster)).run(
            conductor_of([]), functools.partial(CannotBeBuilt, Path("nowhere"))
        )


@pytest.mark.parametrize("shared_bytes", [1000, 2**27])
def test_a_warm_backend_gives_the_same_archive(name: str, shared_bytes: int) -> None:
    make = functools.partial(ToyEvaluator, offsets=np.linspace(0, 0.1, 20_000_000))  # more than the smaller promise
    record: list[Trial] = []
    backend = backend_class(name)(Settings(workers=2))
    with backend.warming_up(shared_bytes):
        backend.run(conductor_of(record), make)
    alone: list[Trial] = []
    backend_class("inline")().run(conductor_of(alone), make)
    assert {trial.number: trial.metrics for trial in record} == {trial.number: trial.metrics for trial in alone}


def test_what_cannot_fit_ends_before_a_worker_starts(name: str) -> None:
    def never() -> ToyEvaluator:
        raise AssertionError

    before = threading.active_count()
    with pytest.raises(Infeasible):
        backend_class(name)().run(conductor_of([], limit=10), never)
    assert threading.active_count() == before


def test_names_are_the_files() -> None:
    assert backend_names() == ["inline", "ray_tune"]


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(WrongUse, match="unknown backend 'rya_tune'; did you mean 'ray_tune'"):
        backend_class("rya_tune")
