import json
import shutil
import sqlite3

import numpy as np
import pytest

from benchmarks.synthetic_run import write_run
from nas.core.trial import Trial
from nas.reporting.history import hypervolume_history
from nas.reporting.run_view import RunView
from nas.run import StoredRun
from nas.service.live.live_run import LiveRun, Replaced
from search_spaces.core.errors import FitnasError


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs"), "whole", 60, failed=3, objectives="accuracy,macs,sram")


@pytest.fixture
def begun(tmp_path):
    """A run that nothing is recorded of yet."""
    return write_run(tmp_path / "runs", "begun", 0, planned=60, state="searching", objectives="accuracy,macs,sram")


def record(run, trials):
    with run.store() as store:
        for trial in trials:
            store.record(run.name, trial)


def check(moment, run):
    """What is followed is what is found by reading all of it anew."""
    view = RunView.of(run)
    assert moment.table.numbers.tolist() == [trial.number for trial in view.trials]
    assert moment.kinds == list(view.kinds)
    assert moment.front.tolist() == [trial.number for trial in view.front]
    assert moment.metric_columns == view.metric_columns
    marked = {mark: view.marked[mark].number if view.marked else None for mark in ("best", "knee")}
    assert moment.marked == marked
    assert moment.hypervolume == view.front.hypervolume
    parts = view.parts
    grown = hypervolume_history(view.trials, parts.objectives, run.reference, parts.budget)
    for name in ("evaluations", "seconds", "volumes"):
        assert getattr(moment.history, name).tolist() == getattr(grown, name).tolist()


def test_a_whole_run(finished):
    live = LiveRun(finished)
    check(live.moment(), finished)
    assert live.moment() is live.moment()
    live.close()


def test_trials_that_are_recorded_out_of_order(finished, begun):
    trials = finished.trials
    live = LiveRun(begun)
    order = np.argsort(np.arange(60) + np.random.default_rng(1).uniform(0, 9, 60), kind="stable")
    for batch in np.split(order, [1, 2, 9, 30, 31, 50]):
        before = live.moment()
        record(begun, [trials[place] for place in batch])
        check(live.moment(), begun)
        assert before.table.numbers.shape[0] < live.moment().table.numbers.shape[0]
    live.close()


def test_a_run_without_trials_and_one_in_training(begun):
    live = LiveRun(begun)
    check(live.moment(), begun)
    with begun.store() as store:
        store.set_state(begun.name, "training")
    # nobody drives it
    assert (live.moment().state, live.moment().record.state) == ("interrupted", "training")
    with begun.directory.lock():
        assert live.moment().state == "training"
    live.close()


def test_failed_ones_and_one_without_an_objective(begun, finished):
    whole = finished.trials[10]
    nothing = Trial.from_results(0, whole.architecture, {**whole.metrics, "top1": float("nan")})
    lacking = Trial(1, whole.architecture, "complete", {"top1": 0.5})
    live = LiveRun(begun)
    record(begun, [nothing, lacking])
    moment = live.moment()
    check(moment, begun)
    assert moment.kinds == ["failed", "over budget"]
    assert (moment.best, moment.knee, moment.hypervolume) == (None, None, 0.0)
    live.close()


def test_the_pace_of_the_last_trials(begun, finished, monkeypatch):
    live = LiveRun(begun)
    with begun.directory.lock():
        for number, trial in enumerate(finished.trials[:3]):
            monkeypatch.setattr(
                "nas.storage.store.now", lambda second=number: f"2026-01-01T00:00:{2 * second:02}+00:00"
            )
            record(begun, [trial])
            pace = live.moment().trials_per_second
    assert pace == pytest.approx(0.5)
    live.close()


def test_a_run_that_is_deleted_or_replaced(finished, tmp_path):
    run = write_run(tmp_path, "gone", 5)
    live = LiveRun(run)
    assert len(live.moment().table) == 5
    shutil.rmtree(run.path)
    with pytest.raises(Replaced):
        live.moment()
    write_run(tmp_path, "gone", 7)
    with pytest.raises(Replaced):
        live.moment()
    live.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE fitnas_runs SET reference = '[]'",
        "UPDATE fitnas_runs SET space = '{}'",
        "UPDATE fitnas_trials SET document = '{' WHERE number = 2",
        "UPDATE fitnas_trials SET document = replace(document, '\"resolution\":', '\"resolution\":7') WHERE number = 2",
    ],
)
def test_a_damaged_run_says_so(tmp_path, damage):
    run = write_run(tmp_path, "hurt", 5)
    connection = sqlite3.connect(run.directory.database)
    with connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(FitnasError, match=r"damaged|has not"):
        LiveRun(StoredRun.load(run.path)).moment()


def test_a_row_says_the_same_as_the_trial(finished):
    moment = LiveRun(finished).moment()
    row, trial = moment.row_of(finished.trials[20].architecture.id), finished.trials[20]
    assert moment.table.metrics_of(row) == dict(trial.metrics)
    assert json.dumps(moment.table.metrics_of(row)) == json.dumps({c: trial.metrics[c] for c in moment.table.metrics})
