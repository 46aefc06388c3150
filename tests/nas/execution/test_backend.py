import math
from collections.abc import Iterator

import pytest

from nas.conductor import Conductor
from nas.core.objective import parse_objectives
from nas.execution.backend import Accounting, Outcome, Stage, described, outcomes
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
    (outcome,) = outcomes(ToyEvaluator(), ToySpace().extremes()[1])
    assert outcome.metrics == {"top1": 0.5}
    assert type(outcome.metrics["top1"]) is float
    assert outcome.seconds > 0
    assert outcome.error == ""


def test_whatever_an_evaluator_raises_is_text() -> None:
    class Broken:
        def evaluate(self, architecture: Architecture) -> dict[str, float]:
            raise MemoryError("no\nmemory")

    (outcome,) = outcomes(Broken(), ToySpace().extremes()[0])
    assert outcome.error.startswith("MemoryError: no memory (test_backend.py:")
    assert outcome.metrics == {}


class InStages(ToyEvaluator):
    """Gives these stages, then raises."""

    def __init__(self, *stages: Stage) -> None:
        super().__init__()
        self._stages = stages

    def stages(self, architecture: Architecture) -> Iterator[Stage]:
        yield from self._stages
        raise OSError("beyond")


def test_stages_come_one_by_one_and_end_with_the_last() -> None:
    evaluator = InStages(Stage({"top1": 0.1}, False), Stage({"top1": 0.2}, True))
    first, second = outcomes(evaluator, ToySpace().extremes()[0])
    assert (first.metrics, first.last, first.error) == ({"top1": 0.1}, False, "")
    assert (second.metrics, second.last, second.error) == ({"top1": 0.2}, True, "")
    assert second.seconds >= first.seconds


def test_an_error_after_a_stage_ends_the_evaluation_without_figures() -> None:
    _, second = outcomes(InStages(Stage({"top1": 0.1}, False)), ToySpace().extremes()[0])
    assert second.last
    assert second.error.startswith("OSError: beyond")
    assert second.metrics == {}


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
