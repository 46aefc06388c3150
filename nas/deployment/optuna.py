"""A whole run as an Optuna study in SQLite, for optuna-dashboard and for whoever goes on with Optuna.

One of two files that know optuna. Optuna's own `add_trials` takes 50 ms a trial, ten minutes for ten thousand; so
optuna makes the empty study, its rows are then written at once in optuna's layout, and optuna reads them back: a layout
that has changed is an error, never a wrong study.
"""

import json
import logging
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, distribution_to_json
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas.core.budget import Budget
from nas.core.objective import Objective
from nas.core.trial import Trial
from nas.deployment.artifact import open_folder
from nas.run import StoredRun
from nas.storage.database import sqlite_url
from nas.storage.files import os_errors_explained
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.core.errors import FitnasError, WrongUse

FILE_NAME = "study.db"
_UNKNOWN_IS_OVER = 1.0  # a constraint holds at 0 or less


def export_run(run: StoredRun, out: Path, *, force: bool = False) -> Path:
    """Writes `out`, a file that ends in .db, or `study.db` in the folder `out`; returns what was given.

    A trial a row: options as categorical parameters, objectives as values, each limit of the budget as a constraint,
    the other figures as user attributes. `FitnasError` where optuna reads back something else.
    """
    file = _file_of(out, force)
    temporary = file.with_name(f".tmp-{secrets.token_hex(4)}.db")
    trials = run.trials
    with os_errors_explained(file, run.name):
        try:
            with _storage(temporary) as storage:
                frozen = _frozen_trials(run, trials)
                study = _empty_study(run, storage)
                _write(temporary, study._study_id, frozen)
            with _storage(temporary) as storage:
                _check(optuna.load_study(study_name=run.name, storage=storage), frozen)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    return out


def next_step(written: Path) -> str:
    """The command that shows it."""
    return f"optuna-dashboard sqlite:///{written if written.is_file() else written / FILE_NAME}"


def _file_of(out: Path, force: bool) -> Path:
    if out.suffix != ".db":
        open_folder(out, force)
        return out / FILE_NAME
    if out.is_dir():
        raise WrongUse(f"{out} is a folder; name a file, or a folder without .db at its end")
    if out.exists() and not force:
        raise WrongUse(f"{out} exists; give another --out, or replace it with --force")
    with os_errors_explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    return out


@contextmanager
def _storage(file: Path) -> Iterator[optuna.storages.RDBStorage]:
    """Optuna's storage in `file`, closed afterwards; optuna's notes on it are kept back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.WARNING)
    storage = optuna.storages.RDBStorage(sqlite_url(file.absolute()))
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
        optuna.logging.set_verbosity(before)


def _empty_study(run: StoredRun, storage: optuna.storages.RDBStorage) -> optuna.Study:
    parts = run.parts
    more, less = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
    directions = [more if o.metric.better == "more" else less for o in parts.objectives]
    study = optuna.create_study(storage=storage, study_name=run.name, directions=directions)
    # what `study.set_metric_names` writes, without its warning that it is experimental
    storage.set_study_system_attr(study._study_id, "study:metric_names", [o.key for o in parts.objectives])
    attributes = {
        "space": run.config.space,
        "settings": parts.space.settings.model_dump(mode="json"),
        "runtime": parts.runtime,
        "budget": parts.budget.describe(parts.runtime),
        "objectives": {o.key: o.metric.unit for o in parts.objectives},
        "seed": run.config.seed,
        "times": "a trial's duration is what its evaluation took; when it began is not recorded",
    }
    for key, value in attributes.items():
        study.set_user_attr(key, value)
    return study


def _frozen_trials(run: StoredRun, trials: Sequence[Trial]) -> list[FrozenTrial]:
    distributions: dict[str, BaseDistribution] = {
        choice.name: CategoricalDistribution(choice.options) for choice in run.parts.space.choices
    }
    created = datetime.fromisoformat(run.record.created).replace(tzinfo=None)
    return [
        _frozen(trial, distributions, run.parts.objectives, run.parts.budget, created)
        for trial in sorted(trials, key=lambda trial: trial.number)
    ]


def _frozen(
    trial: Trial,
    distributions: dict[str, BaseDistribution],
    objectives: Sequence[Objective],
    budget: Budget,
    created: datetime,
) -> FrozenTrial:
    """One trial. A choice without effect in its network is no parameter of it, as in optuna's conditional spaces."""
    params = dict(trial.architecture.options)
    values = [trial.metrics.get(objective.column) for objective in objectives]
    complete = trial.state == "complete" and None not in values
    frozen = create_trial(
        state=TrialState.COMPLETE if complete else TrialState.FAIL,
        values=[float(value) for value in values if value is not None] if complete else None,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs=_attributes(trial),
        constraints={_key(column): _excess(trial, column, limit) for column, limit in budget.limits.items()},
    )
    frozen.datetime_start, frozen.datetime_complete = created, created + timedelta(seconds=trial.seconds)
    return frozen


def _attributes(trial: Trial) -> dict[str, Any]:
    schedule = f"{trial.patches}x{trial.split}" if trial.split else "none"
    own = {"id": trial.architecture.id, "number": trial.number, "schedule": schedule, "seconds": trial.seconds}
    error = {"error": trial.error} if trial.error else {}
    return {**own, "rejected": trial.rejected, **dict(trial.metrics), **error}


def _key(column: str) -> str:
    return METRIC_OF_COLUMN[column].key


def _excess(trial: Trial, column: str, limit: float) -> float:
    """How far a figure is beyond its limit; 0 or less is within."""
    if column not in trial.metrics:
        return _UNKNOWN_IS_OVER
    beyond = trial.metrics[column] - limit
    return float(beyond if METRIC_OF_COLUMN[column].better == "less" else -beyond)


def _write(file: Path, study_id: int, trials: Sequence[FrozenTrial]) -> None:
    """All rows in one transaction. Optuna counts trials by number and by id from the same order."""
    tables: dict[str, list[tuple[Any, ...]]] = {statement: [] for statement in _INSERTS.values()}
    texts = {}  # a distribution's JSON is the same for all trials
    for number, trial in enumerate(trials):
        row = number + 1
        times = [str(moment) if moment else None for moment in (trial.datetime_start, trial.datetime_complete)]
        tables[_INSERTS["trials"]].append((row, number, study_id, trial.state.name, *times))
        for objective, value in enumerate(trial.values or ()):
            tables[_INSERTS["values"]].append((row, objective, value))
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            if name not in texts:
                texts[name] = distribution_to_json(distribution)
            tables[_INSERTS["params"]].append((row, name, distribution.to_internal_repr(value), texts[name]))
        for kind, attributes in (("user", trial.user_attrs), ("system", trial.system_attrs)):
            tables[_INSERTS[kind]] += [(row, key, json.dumps(value)) for key, value in attributes.items()]
    with closing(sqlite3.connect(file)) as database, database:
        for statement, rows in tables.items():
            database.executemany(statement, rows)


_INSERTS = {
    "trials": "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
    "VALUES (?, ?, ?, ?, ?, ?)",
    "values": "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, 'FINITE')",
    "params": "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)",
    "user": "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
    "system": "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
}


def _check(study: optuna.Study, expected: Sequence[FrozenTrial]) -> None:
    found = study.get_trials(deepcopy=False)
    same = len(found) == len(expected) and all(map(_same, found, expected))
    if not same:
        raise FitnasError(
            f"optuna {optuna.__version__} reads the study back with other trials than were written: its file layout "
            "has changed; install optuna 5.0"
        )


def _same(one: FrozenTrial, other: FrozenTrial) -> bool:
    names = ("state", "values", "params", "distributions", "user_attrs", "constraints")
    return all(getattr(one, name) == getattr(other, name) for name in names)
