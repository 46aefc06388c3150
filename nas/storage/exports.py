"""What a run writes beside its database, for people and other programs: pareto.json and trials.parquet."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nas.core.budget import Budget
from nas.core.pareto import ParetoFront
from nas.core.trial import Trial
from nas.storage.files import write_atomically

_OPTION_PREFIX = "choice."


def write_front(path: Path, front: ParetoFront, *, runtime: str, budget: Budget, run: str) -> None:
    """Writes the front with its objectives, reference, hypervolume, runtime and budget as JSON, whole or not at all."""
    document = {
        "run": run,
        "runtime": runtime,
        "budget": {"limits": dict(budget.limits), "as_understood": budget.describe(runtime)},
        **front.to_dict(),
    }
    write_atomically(path, json.dumps(document, indent=2, allow_nan=False) + "\n", run)


def write_trials(path: Path, trials: Sequence[Trial], *, run: str) -> None:
    """Writes the table of `trials_table` as Parquet, whole or not at all."""
    buffer = io.BytesIO()
    trials_table(trials).to_parquet(buffer, index=False)
    write_atomically(path, buffer.getvalue(), run)


def trials_table(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row a trial, in the order given: number, id, state, a column a metric, patches, split, seconds, rejected,
    error, and a column `choice.<name>` for each choice.

    What a trial lacks (a metric of a failed one, an inactive choice) is missing (`<NA>`), and whole numbers stay whole
    numbers. Options that mix numbers and text become text. No trials give a table without rows.
    """
    metrics = _in_order(column for trial in trials for column in trial.metrics)
    choices = _in_order(name for trial in trials for name in trial.architecture.options)
    columns: dict[str, list[Any]] = {
        "number": [trial.number for trial in trials],
        "id": [trial.architecture.id for trial in trials],
        "state": [trial.state for trial in trials],
    }
    columns |= {column: [trial.metrics.get(column) for trial in trials] for column in metrics}
    for name in ("patches", "split", "seconds", "rejected", "error"):
        columns[name] = [getattr(trial, name) for trial in trials]
    columns |= {_OPTION_PREFIX + name: [trial.architecture.options.get(name) for trial in trials] for name in choices}
    return pd.DataFrame({name: _column(values) for name, values in columns.items()})


def _in_order(names: Any) -> list[str]:
    return list(dict.fromkeys(names))


def _column(values: list[Any]) -> "pd.Series[Any]":
    present = [value for value in values if value is not None]
    if not present:
        return pd.Series(values, dtype="object")
    if all(isinstance(value, int) for value in present):
        return pd.Series(values, dtype="int64" if len(present) == len(values) else "Int64")
    if all(isinstance(value, int | float) for value in present):
        return pd.Series(values, dtype="float64" if len(present) == len(values) else "Float64")
    return pd.Series([None if value is None else str(value) for value in values], dtype="string")
