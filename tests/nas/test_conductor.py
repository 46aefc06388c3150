import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from nas.conductor import WAIT, Conductor, Event, Proposal, StopReason
from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.core.pareto import Reference
from nas.core.trial import Trial
from nas.gate import Gate
from nas.strategies.evolution import Evolution
from nas.strategies.random import RandomSearch
from nas.strategies.strategy import Strategy
from search_spaces.core.errors import FitnasError, Infeasible
from search_spaces.core.population import Population
from tests.nas.toy_space import Price, ToyEvaluator, ToySettings, ToySpace

OBJECTIVES = parse_objectives("accuracy,macs")


def make(trials: int = 40, *, space: ToySpace | None = None, limit: float = 2600, **options: Any) -> Conductor:
    space = space or ToySpace()
    strategy = options.pop("strategy", None) or Evolution(space, OBJECTIVES, trials)
    options.setdefault("record", lambda trial: None)
    return Conductor(space, strategy, Price(limit), objectives=OBJECTIVES, trials=trials, **options)


def proposed(conductor: Conductor) -> Proposal:
    proposal = conductor.propose()
    assert isinstance(proposal, Proposal)
    return proposal


def work(conductor: Conductor, workers: int = 1, seed: int = 0) -> None:
    """Evaluates like `workers` workers that finish in random order."""
    rng = np.random.default_rng(seed)
    busy: list[Proposal] = []
    while True:
        proposal = conductor.propose() if len(busy) < workers else WAIT
        if proposal is None:
            return
        if isinstance(proposal, Proposal):
            busy.append(proposal)
            continue
        done = busy.pop(int(rng.integers(len(busy))))
        conductor.report(done.number, ToyEvaluator().evaluate(done.architecture), 1.0)


def archive(conductor: Conductor) -> list[tuple[Any, ...]]:
    return [(t.number, t.architecture, dict(t.metrics), t.rejected, t.state, t.error) for t in conductor.trials]


def test_a_search_ends_after_its_trials_all_different_and_within_the_limit() -> None:
    conductor = make(40)
    work(conductor)
    assert [trial.number for trial in conductor.trials] == list(range(40))
    assert len({trial.architecture for trial in conductor.trials}) == 40
    assert all(trial.metrics["macs"] <= 2600 for trial in conductor.trials)
    assert conductor.reason is StopReason.TRIALS
    assert conductor.evaluation_seconds == 40.0
    assert conductor.rejected == sum(trial.rejected for trial in conductor.trials)


@pytest.mark.parametrize(("workers", "seed"), [(2, 0), (2, 1), (9, 2), (30, 3)])
def test_the_archive_depends_neither_on_workers_nor_on_the_order_of_completion(workers: int, seed: int) -> None:
    alone, many = make(), make()
    work(alone)
    work(many, workers, seed)
    assert archive(alone) == archive(many)


def test_another_seed_is_another_search() -> None:
    first, second = make(seed=1), make(seed=2)
    work(first)
    work(second)
    assert archive(first) != archive(second)


def test_proposal_i_is_asked_after_exactly_the_trials_below_i_minus_lag() -> None:
    class Witness(Strategy):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.told: list[int] = []
            self.asked_after: list[list[int]] = []

        def ask(self, n: int, rng: np.random.Generator) -> Population:
            self.asked_after.append(list(self.told))
            return self.space.sample(rng, n)

        def tell(self, trials: Sequence[Trial]) -> None:
            self.told += [trial.number for trial in trials]

    space = ToySpace()
    witness = Witness(space, OBJECTIVES, 20)
    conductor = make(20, space=space, limit=np.inf, strategy=witness, lag=3)
    work(conductor, workers=4, seed=5)
    assert witness.asked_after == [list(range(max(0, i - 3))) for i in range(20)]


def test_a_proposal_waits_for_the_result_it_needs_and_for_workers_that_may_be_lost() -> None:
    conductor = make(6, lag=2)
    first = [proposed(conductor) for _ in range(3)]
    assert conductor.propose() is WAIT
    conductor.report(2, {"top1": 0.5}, 1.0)
    assert conductor.propose() is WAIT  # it needs trial 0
    conductor.report(0, {"top1": 0.5}, 1.0)
    rest = [proposed(conductor)]
    assert conductor.propose() is WAIT
    conductor.report(1, {"top1": 0.5}, 1.0)
    rest += [proposed(conductor), proposed(conductor)]
    assert [proposal.number for proposal in first + rest] == list(range(6))
    assert conductor.propose() is WAIT
    for proposal in rest:
        conductor.report(proposal.number, {"top1": 0.5}, 1.0)
    assert conductor.propose() is None


@pytest.mark.parametrize("kept", [0, 1, 7, 20, 39, 40])
def test_a_resumed_search_evaluates_only_what_is_missing_and_ends_equal(kept: int) -> None:
    whole = make(40)
    work(whole)
    order = np.random.default_rng(kept).permutation(40)
    # Whatever subset a killed search recorded, out of order and with gaps within the lag of its end.
    numbers = set(range(kept)) | {int(n) for n in order if kept <= n < min(kept + 8, 40) and n % 3 == 0}
    written: list[Trial] = []
    resumed = make(40, recorded=[t for t in whole.trials if t.number in numbers], record=written.append)
    work(resumed, workers=3, seed=kept)
    assert archive(resumed) == archive(whole)
    assert sorted(trial.number for trial in written) == sorted(set(range(40)) - numbers)
    assert resumed.rejected == whole.rejected


def test_a_lost_worker_puts_its_proposal_back_and_the_fourth_loss_is_a_failure() -> None:
    undisturbed, conductor = make(12), make(12)
    work(undisturbed)
    lost = proposed(conductor)
    for _ in range(3):
        conductor.report_failure(lost.number, "the worker died", lost_worker=True)
        assert proposed(conductor) == lost
    conductor.report_failure(lost.number, "the worker died", lost_worker=True)
    assert conductor.trials[0].state == "failed"
    assert conductor.trials[0].error == "the worker died"

    again = make(12)
    second = [proposed(again), proposed(again)][1]
    again.report_failure(second.number, "the worker died", lost_worker=True)
    assert proposed(again) == second
    again.report(0, ToyEvaluator().evaluate(undisturbed.trials[0].architecture), 1.0)
    again.report(1, ToyEvaluator().evaluate(second.architecture), 1.0)
    work(again)
    assert archive(again) == archive(undisturbed)


def test_one_proposal_is_recorded_once_whoever_answers() -> None:
    written: list[Trial] = []
    conductor = make(5, record=written.append)
    first = proposed(conductor)
    conductor.report_failure(first.number, "lost", lost_worker=True)
    conductor.report(first.number, {"top1": 0.5}, 1.0)  # it was alive after all
    conductor.report(first.number, {"top1": 0.6}, 1.0)
    conductor.report_failure(first.number, "lost", lost_worker=True)
    assert [trial.number for trial in written] == [0]
    assert proposed(conductor).number == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_figure_that_is_not_finite_is_a_failed_trial_and_never_on_the_front(value: float) -> None:
    conductor = make(10)
    good, bad = proposed(conductor), proposed(conductor)
    conductor.report(good.number, {"top1": 0.5}, 1.0)
    conductor.report(bad.number, {"top1": value, "loss": 1.0}, 1.0)
    assert [trial.state for trial in conductor.trials] == ["complete", "failed"]
    assert "top1 is" in conductor.trials[1].error
    assert conductor.trials[1].metrics["macs"] == bad.metrics["macs"]
    assert [trial.number for trial in conductor.front] == [0]


def test_an_objective_without_a_figure_is_a_failed_trial() -> None:
    conductor = make(10)
    conductor.report(proposed(conductor).number, {"loss": 1.0}, 1.0)
    assert conductor.trials[0].error == "the evaluation gave no 'top1'"


def test_figures_that_were_priced_hold_at_a_stage_as_in_the_record() -> None:
    seen: list[dict[str, float]] = []

    class Witness:
        def goes_on(self, metrics: dict[str, float], peers: Sequence[Trial], number: int) -> bool:
            seen.append(metrics)
            return True

    conductor = make(2, halving=Witness())
    proposal = proposed(conductor)
    of_a_table = {"top1": 0.5, "macs": 1.0}
    assert conductor.goes_on(proposal.number, of_a_table)
    conductor.report(proposal.number, of_a_table, 1.0)
    assert seen == [{"top1": 0.5, **proposal.metrics}]
    assert conductor.trials[0].metrics == seen[0]


def test_failed_trials_are_told_and_the_search_goes_on() -> None:
    conductor = make(30)
    while isinstance(proposal := conductor.propose(), Proposal):
        if proposal.number % 4 == 3:
            conductor.report_failure(proposal.number, "ValueError: no")
        else:
            conductor.report(proposal.number, ToyEvaluator().evaluate(proposal.architecture), 1.0)
    assert [t.number for t in conductor.trials if t.state == "failed"] == [3, 7, 11, 15, 19, 23, 27]
    assert all(trial.state == "complete" for trial in conductor.front)


def test_a_search_in_which_everything_fails_stops_with_the_reason() -> None:
    conductor = make(100)
    for _ in range(4):
        conductor.report_failure(proposed(conductor).number, "RuntimeError: no such layer")
    fifth = proposed(conductor)
    with pytest.raises(FitnasError, match=r"first 5 evaluations failed.*no such layer.*resume"):
        conductor.report_failure(fifth.number, "RuntimeError: no such layer")
    assert len(conductor.trials) == 5


def test_where_nothing_ever_fits_the_error_names_limit_and_nearest_miss() -> None:
    small = make(10, space=ToySpace(ToySettings(choices=3)), limit=900, budget=Budget({"macs": 900.0}), runtime="r")
    said = r"no architecture of this space fits \(macs <= 900\).*nearest needs macs 1,000"
    with pytest.raises(Infeasible, match=said):
        small.propose()
    large = make(10, space=ToySpace(ToySettings(choices=30)), limit=900)
    with pytest.raises(Infeasible, match="none found that fits in 28,192 candidates"):
        large.propose()


def test_a_small_space_is_searched_to_its_end() -> None:
    conductor = make(100, space=ToySpace(ToySettings(choices=2, options=3)), limit=1300)
    work(conductor, workers=2)
    assert len(conductor.trials) == 8
    assert conductor.reason is StopReason.EXHAUSTED
    assert conductor.reason.complete
    assert conductor.conclusion == "the feasible part of the space is exhausted: 8 architectures"
    resumed = make(100, space=ToySpace(ToySettings(choices=2, options=3)), limit=1300, recorded=conductor.trials)
    assert resumed.propose() is None
    assert resumed.reason is StopReason.EXHAUSTED


def test_the_deadline_ends_proposals_but_not_the_evaluations_under_way() -> None:
    now = [0.0]
    conductor = make(10, deadline=100.0, clock=lambda: now[0])
    first, second = proposed(conductor), proposed(conductor)
    conductor.report(first.number, {"top1": 0.5}, 1.0)
    now[0] = 100.0
    assert conductor.propose() is None
    assert conductor.reason is StopReason.DEADLINE
    assert not conductor.reason.abandons
    conductor.report(second.number, {"top1": 0.5}, 1.0)
    assert len(conductor.trials) == 2


@pytest.mark.parametrize("before", [0, 1])
def test_measuring_ends_at_the_deadline_and_the_search_can_be_resumed(before: int) -> None:
    space, now = ToySpace(), [0.0]

    def ask(population: Population) -> dict[str, np.ndarray[Any, Any]]:
        now[0] += 10.0
        return {"images_per_second": np.full(len(population), 99.0 if now[0] <= 10.0 * before else 1.0)}

    gate = Gate(space, ask, {"images_per_second": "measured: nowhere"}, repeatable=False)
    budget = Budget({"images_per_second": 50.0})
    more = {"measure": gate, "budget": budget, "deadline": 100.0, "clock": lambda: now[0]}
    conductor = make(10, space=space, strategy=RandomSearch(space, OBJECTIVES, 10), **more)
    for _ in range(before):
        proposed(conductor)
    assert conductor.propose() is None
    assert conductor.reason is StopReason.DEADLINE
    assert not conductor.reason.complete
    assert now[0] == 100.0


def test_a_search_that_is_done_at_its_deadline_is_complete() -> None:
    now = [0.0]
    conductor = make(2, deadline=100.0, clock=lambda: now[0])
    first, second = proposed(conductor), proposed(conductor)
    now[0] = 100.0
    assert conductor.propose() is WAIT
    conductor.report(first.number, {"top1": 0.5}, 1.0)
    conductor.report(second.number, {"top1": 0.5}, 1.0)
    assert conductor.propose() is None
    assert conductor.reason is StopReason.TRIALS


def test_the_first_reason_to_stop_counts() -> None:
    conductor = make(10)
    proposed(conductor)
    conductor.stop(StopReason.TERMINATED)
    conductor.stop(StopReason.INTERRUPTED)
    assert conductor.propose() is None
    assert conductor.reason is StopReason.TERMINATED
    assert conductor.reason.abandons
    assert conductor.conclusion == "terminated"


def test_an_error_of_the_record_reaches_the_caller_and_nothing_is_counted() -> None:
    def full(trial: Trial) -> None:
        raise FitnasError("the disk is full")

    conductor = make(10, record=full)
    first = proposed(conductor)
    with pytest.raises(FitnasError, match="full"):
        conductor.report(first.number, {"top1": 0.5}, 1.0)
    assert conductor.trials == ()


def test_events_tell_the_state_of_the_search() -> None:
    events: list[Event] = []
    conductor = make(6, on_event=events.append, reference=Reference((1.0, 1000.0), (0.0, 3400.0)))
    lost = proposed(conductor)
    conductor.report_failure(lost.number, "died", lost_worker=True)
    work(conductor)
    assert [event.kind for event in events[:3]] == ["proposed", "lost", "proposed"]
    complete = [event for event in events if event.kind == "complete"]
    assert [event.done for event in complete] == [1, 2, 3, 4, 5, 6]
    volumes = [event.hypervolume for event in complete]
    assert volumes == sorted(volumes)  # type: ignore[type-var]
    assert complete[-1].front == len(conductor.front)
    assert complete[-1].rejected == conductor.rejected
    document = json.loads(complete[-1].to_json())
    assert document["trial"]["number"] == 5
    assert document["architecture"] == complete[-1].architecture.id


def test_an_event_tells_of_each_network_before_it_is_measured() -> None:
    space, told, events = ToySpace(), list[str](), list[Event]()

    def ask(population: Population) -> dict[str, np.ndarray[Any, Any]]:
        told.extend(f"asked {architecture.id}" for architecture in population)
        return {"images_per_second": np.full(len(population), 99.0 if len(told) > 4 else 1.0)}

    def tell(event: Event) -> None:
        events.append(event)
        told.append(f"{event.kind} {event.architecture.id}")

    gate = Gate(space, ask, {"images_per_second": "measured: nowhere"}, repeatable=False)
    more = {"measure": gate, "budget": Budget({"images_per_second": 50.0}), "on_event": tell}
    proposal = proposed(make(3, space=space, strategy=RandomSearch(space, OBJECTIVES, 3), **more))
    ids = [event.architecture.id for event in events[:-1]]
    assert len(ids) == len(set(ids)) == 3
    assert told == [line for i in ids for line in (f"measuring {i}", f"asked {i}")] + [f"proposed {ids[-1]}"]
    assert {event.number for event in events} == {proposal.number}
    assert json.loads(events[0].to_json())["kind"] == "measuring"


def test_no_more_evaluations_run_at_once_than_the_lag_and_what_is_left_allow() -> None:
    assert make(40).most_at_once == 9
    assert make(40, lag=3).most_at_once == 4
    done = make(5)
    work(done)
    assert done.most_at_once == 1
    assert make(7, recorded=done.trials).most_at_once == 2


@pytest.mark.parametrize("options", [{"trials": 0}, {"trials": 5, "lag": -1}])
def test_impossible_settings_are_refused(options: dict[str, int]) -> None:
    build: Callable[..., Conductor] = make
    with pytest.raises(ValueError, match="at least 1 trial"):
        build(**options)


def test_evolution_finds_more_than_random_search_with_twice_the_trials() -> None:
    def volume(strategy: type[Strategy], trials: int, seed: int) -> float:
        space = ToySpace(ToySettings(choices=12, options=4))
        conductor = make(
            trials,
            space=space,
            limit=3600,
            seed=seed,
            strategy=strategy(space, OBJECTIVES, trials),
            reference=Reference((1.0, 1000.0), (0.0, 3600.0)),
        )
        work(conductor)
        return conductor.front.hypervolume

    evolved = [volume(Evolution, 200, seed) for seed in range(3)]
    at_random = [volume(RandomSearch, 400, seed) for seed in range(3)]
    assert sum(evolved) > sum(at_random)
