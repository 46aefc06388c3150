import dataclasses
import shutil
import time
from pathlib import Path

import optuna
import pytest

from nas.api import Run, load
from nas.core.objective import parse_objectives
from nas.core.pareto import ParetoFront
from nas.core.trial import Trial
from nas.deployment import export_member
from search_spaces.core.errors import WrongUse


def study_of(file: Path, name: str = "signs") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{file}")


@pytest.fixture(scope="module")
def run(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny run with a failed trial, one over budget that would be the best, and a tie of its knee."""
    folder = tmp_path_factory.mktemp("optuna") / "signs"
    shutil.copytree(tiny_run.path, folder)
    copy = load(folder)
    knee, other = copy.knee(), copy.trials[1]
    over = {**knee.metrics, "top1": 1.0, "macs": 1, "peak_sram_bytes": 25 * 1024}
    with copy.store() as store:
        for trial in (
            Trial(8, other.architecture, "failed", {"macs": 5}, seconds=0.5, error="no such thing"),
            Trial(9, knee.architecture, "complete", over, patches=2, split=4, seconds=1.25, rejected=7),
            dataclasses.replace(knee, number=10),
        ):
            store.record("signs", trial)
    return copy


@pytest.fixture(scope="module")
def study(run: Run, tmp_path_factory: pytest.TempPathFactory) -> optuna.Study:
    folder = tmp_path_factory.mktemp("study")
    assert export_member(run, None, "optuna", folder) == folder
    assert [path.name for path in folder.iterdir()] == ["study.db"]
    return study_of(folder / "study.db")


def test_every_trial_is_there_with_its_values(run: Run, study: optuna.Study) -> None:
    trials = run.trials
    assert [trial.number for trial in study.trials] == list(range(11))
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "macs"]
    for ours, theirs in zip(trials, study.trials, strict=True):
        assert theirs.params == dict(ours.architecture.options)
        assert theirs.user_attrs["id"] == ours.architecture.id
        assert theirs.user_attrs["seconds"] == ours.seconds
        assert theirs.duration is not None
        assert theirs.duration.total_seconds() == pytest.approx(ours.seconds, abs=1e-6)
        assert {key: theirs.user_attrs[key] for key in ours.metrics} == dict(ours.metrics)
        if ours.state == "complete":
            assert theirs.values == [ours.metrics["top1"], ours.metrics["macs"]]
    assert study.trials[8].state.name == "FAIL"
    assert study.trials[8].user_attrs["error"] == "no such thing"
    assert study.trials[9].user_attrs["schedule"] == "2x4"
    by_name = {choice.name: choice.options for choice in run.parts.space.choices}
    for name, distribution in study.trials[0].distributions.items():
        assert isinstance(distribution, optuna.distributions.CategoricalDistribution)
        assert distribution.choices == by_name[name]


def test_limits_are_constraints(study: optuna.Study) -> None:
    fine, over = study.trials[0], study.trials[9]
    assert fine.constraints["sram"] == fine.user_attrs["peak_sram_bytes"] - 24 * 1024 <= 0
    assert over.constraints["sram"] == 1024
    assert study.trials[8].constraints["sram"] > 0  # unknown is not within


def test_the_best_trials_are_the_front(run: Run, study: optuna.Study) -> None:
    """Optuna keeps trials of equal values, we the first of them."""
    front = [[trial.metrics["top1"], trial.metrics["macs"]] for trial in run.pareto]
    best = study.best_trials
    assert sorted(map(tuple, front)) == sorted({tuple(trial.values) for trial in best})
    assert {trial.number for trial in run.pareto} <= {trial.user_attrs["number"] for trial in best}
    assert 9 not in {trial.number for trial in best}
    assert len(best) > len(front)  # the tie


def test_one_objective(tiny_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "signs"
    shutil.copytree(tiny_run.path, folder)
    config = (folder / "config.toml").read_text().replace('objectives = "accuracy,macs"', 'objectives = "macs"')
    (folder / "config.toml").write_text(config)
    run = load(folder)
    study = study_of(export_member(run, None, "optuna", tmp_path / "one.db"))
    least = ParetoFront(run.trials, parse_objectives("macs"), budget=run.parts.budget).best()
    assert study.best_trial.user_attrs["id"] == least.architecture.id
    assert study.best_value == least.metrics["macs"]


def test_a_file_is_kept_without_force(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "study.db"
    assert export_member(run, None, "optuna", file) == file
    before = file.read_bytes()
    with pytest.raises(WrongUse, match="--force"):
        export_member(run, None, "optuna", file)
    assert file.read_bytes() == before
    export_member(run, None, "optuna", file, force=True)
    assert [path.name for path in file.parent.iterdir()] == ["study.db"]
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(WrongUse, match="is a folder"):
        export_member(run, None, "optuna", tmp_path / "folder.db")


def test_there_is_nothing_to_pick(run: Run, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="leave --pick away"):
        export_member(run, "knee", "optuna", tmp_path / "study.db")


def test_optuna_goes_on_with_it(study: optuna.Study) -> None:
    trial = study.ask()
    assert trial.number == 11
    study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert len(study.trials) == 12


def test_many_trials_take_seconds(tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny_run.trials
    many = [dataclasses.replace(first[i % len(first)], number=i) for i in range(400)]
    monkeypatch.setattr(Run, "trials", property(lambda self: many))
    began = time.monotonic()
    file = export_member(tiny_run, None, "optuna", tmp_path / "many.db")
    assert time.monotonic() - began < 10  # one by one it would be 20
    assert len(study_of(file).trials) == 400
