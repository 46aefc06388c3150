import math

import pytest

from nas.conductor import Conductor
from nas.core.objective import parse_objectives
from nas.execution.backend import Accounting, Outcome, described, evaluate
from nas.strategies.random import RandomSearch
from search_spaces.core.architecture import Architecture
from tests.nas.toy_space import Price, ToyEvaluator, ToySpace


def test_idle_shares_of_known_times() -> None:
    account = Accounting(workers=2, wall_seconds=50.0, start_seconds=5.0, evaluation_seconds=81.0)
    assert account.idle_share == pytest.approx(1 - 81 / 100)
    assert account.idle_share_without_start == pytest.approx(1 - 81 / 90)


def test_idle_shares_stay_between_nothing_and_everything() -> None:
    assert Accounting(2, 0.0, 0.0, 0.0).idle_share == 0.0
    assert Accounting(2, 5.0, 5.0, 0.0).idle_share == 1.0
    assert Accounting(1, 5.0, 0.0, 5.1).idle_share == 0.0


def test_an_evaluation_gives_plain_numbers_and_its_time() -> None:
    outcome = evaluate(ToyEvaluator(), ToySpace().extremes()[1])
    assert outcome.metrics == {"top1": 0.5}
    assert type(outcome.metrics["top1"]) is float
    assert outcome.seconds > 0
    assert outcome.error == ""


def test_whatever_an_evaluator_raises_is_text() -> None:
    class Broken:
        def evaluate(self, architecture: Architecture) -> dict[str, float]:
            raise MemoryError("no\nmemory")

    outcome = evaluate(Broken(), ToySpace().extremes()[0])
    assert outcome.error.startswith("MemoryError: no memory (test_backend.py:")
    assert outcome.metrics == {}


def test_long_errors_are_cut() -> None:
    assert len(described(ValueError("x" * 10_000))) < 600


def test_an_outcome_reports_itself() -> None:
    space = ToySpace()
    objectives = parse_objectives("accuracy")
    conductor = Conductor(
        space,
        RandomSearch(space, objectives, 9),
        Price(),
        objectives=objectives,
        record=lambda trial: None,
        trials=9,
    )
    for _ in range(3):
        conductor.propose()
    Outcome({"top1": 0.5}, 2.0).report_to(conductor, 0)
    Outcome({}, 3.0, "ValueError: no").report_to(conductor, 1)
    Outcome({"top1": math.nan}, 4.0).report_to(conductor, 2)
    assert [trial.state for trial in conductor.trials] == ["complete", "failed", "failed"]
    assert conductor.evaluation_seconds == 9.0
