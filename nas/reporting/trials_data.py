"""The whole table of trials as compact columns for the report's script."""

from typing import Any

from nas.reporting.run_view import RunView
from nas.reporting.tables import schedule, title
from predictors.core.metric import METRIC_OF_COLUMN

_DIGITS = 6


def trials_data(view: RunView) -> dict[str, Any]:
    """Columns with a name, a kind (how a value is written) and a value a trial, None where it is missing.

    Columns of few different values hold places in `words` instead, -1 where missing. `kind` and `id` tell which columns
    hold them.
    """
    trials = view.trials
    columns = [
        {"name": "trial", "kind": "count", "values": [trial.number for trial in trials]},
        {"name": "id", "kind": "text", "values": [trial.architecture.id for trial in trials]},
        _words("kind", "text", list(view.kinds)),
        *(_metric(view, column) for column in view.metric_columns),
        _words("schedule", "text", [schedule(trial.patches, trial.split) for trial in trials]),
        {"name": "seconds", "kind": "number", "values": [round(trial.seconds, 3) for trial in trials]},
        {"name": "rejected before it", "kind": "count", "values": [trial.rejected for trial in trials]},
    ]
    if any(trial.error for trial in trials):
        columns.append(_words("error", "text", [trial.error for trial in trials]))
    columns += [_words(name, _kind_of(options), options) | {"choice": True} for name, options in view.choices.items()]
    return {"columns": columns, "id": 1, "kind": 2}


def _metric(view: RunView, column: str) -> dict[str, Any]:
    metric = METRIC_OF_COLUMN.get(column)
    whole = column.endswith("_bytes") or column.startswith("macs") or bool(metric and metric.whole)
    kind = "fraction" if column.endswith("top1") else "bytes" if column.endswith("_bytes") else "count"
    values = [trial.metrics.get(column) for trial in view.trials]
    kept = [None if value is None else int(value) if whole else round(value, _DIGITS) for value in values]
    better = metric.better if metric else "less"
    return {"name": title(column), "kind": kind if whole or kind == "fraction" else "number", "values": kept} | {
        "better": better
    }


def _words(name: str, kind: str, values: list[Any]) -> dict[str, Any]:
    places = {word: index for index, word in enumerate(dict.fromkeys(value for value in values if value is not None))}
    return {"name": name, "kind": kind, "words": list(places), "values": [places.get(value, -1) for value in values]}


def _kind_of(options: list[Any]) -> str:
    return "number" if all(isinstance(option, int | float) for option in options if option is not None) else "text"
