"""The documents of a run at one moment, plain JSON values in which no NaN appears."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.objective import Objective
from nas.feasibility import survey
from nas.front_latency import measured_front
from nas.reporting.catalogue import strategy_title
from nas.reporting.commands import search_command
from nas.reporting.predictors import predictor_document
from nas.run import UNFINISHED
from nas.service.live.moment import Moment
from nas.service.live.seen import to_cursor, unseen
from nas.storage.sheet import LATENCY
from search_spaces.core.errors import FitnasError, NotFound

MOST_SPARKS = 60
_PLACE = ("number", "id", "state", "kind", "patches", "split", "seconds", "error")


def summary(moment: Moment) -> dict[str, Any]:
    """A run in the list of runs, all but what is noted of it and the job that works on it."""
    run, table, record = moment.run, moment.table, moment.record
    parts = run.parts
    return {
        "name": moment.name,
        "space": run.config.space,
        "state": moment.state,
        "problem": None,
        "trials": len(table),
        "trials_planned": run.config.trials,
        "created": record.created,
        "updated": record.updated,
        "evaluation_seconds": round(float(table.seconds.sum()), 3),
        "eta_seconds": _eta_seconds(moment),
        "budget": parts.budget.describe(parts.runtime),
        "limits": dict(parts.budget.limits),
        "objectives": [objective_document(objective) for objective in parts.objectives],
        "best": _marked(moment, moment.best),
        "knee": _marked(moment, moment.knee),
        "hypervolume": moment.hypervolume,
        "sparkline": _sparkline(moment),
        "unexecutable": parts.unexecutable or None,
    }


def queued(name: str) -> dict[str, Any]:
    """The row of a run that a job has not written yet."""
    return {**unreadable(name, ""), "state": "created", "problem": None}


def unreadable(name: str, problem: str) -> dict[str, Any]:
    """The row of a run that cannot be read: the keys of `summary`, with what is not known as None or empty."""
    known = {"name": name, "state": "unreadable", "problem": problem, "trials": 0, "hypervolume": 0.0}
    nothing = dict.fromkeys(("space", "trials_planned", "created", "updated", "evaluation_seconds", "eta_seconds"))
    empty: dict[str, Any] = {"budget": [], "limits": {}, "objectives": [], "sparkline": []}
    return {**known, **nothing, **empty, "best": None, "knee": None, "unexecutable": None}


def detail(moment: Moment) -> dict[str, Any]:
    """What the page of a run needs beside its summary, so that it may be shown to anybody: no addresses, no folders."""
    run, parts = moment.run, moment.run.parts
    shareable = run.config.shareable()
    return {
        "config": shareable.model_dump(mode="json"),
        "command": search_command(shareable),
        "runtime": parts.runtime,
        "numbers": parts.numbers,
        "device": None if parts.device is None else parts.device.name,
        "reference": run.reference.to_dict(),
        "metric_columns": moment.metric_columns,
        "choices": {choice.name: list(choice.options) for choice in parts.space.choices},
        "whose": dict(parts.whose),
        "warning": parts.warning or None,
        "data": _data(moment),
    }


def _data(moment: Moment) -> dict[str, Any]:
    """What was read of the data; empty before it was."""
    try:
        found = dict(moment.run.data_document())
    except (NotFound, OSError, ValueError):
        return {}
    return found | {"source": Path(str(found.get("source", ""))).name}


def objective_document(objective: Objective) -> dict[str, Any]:
    """Key, column, unit, better."""
    metric = objective.metric
    return {"key": metric.key, "column": metric.column, "unit": metric.unit, "better": metric.better}


def _marked(moment: Moment, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    row = int(moment.table.rows_of(np.asarray([number]))[0])
    return {"id": moment.table.ids[row], "number": number, "metrics": moment.table.metrics_of(row)}


def _eta_seconds(moment: Moment) -> float | None:
    """What the trials that are planned still take at the pace of the last ones; None where none is known."""
    left = moment.run.config.trials - len(moment.table)
    if moment.state not in UNFINISHED or not moment.trials_per_second:
        return None
    return round(max(left, 0) / moment.trials_per_second, 1)


def _sparkline(moment: Moment) -> list[list[float]]:
    """[evaluations, hypervolume], at most 60, the first and the last among them."""
    history = moment.history
    rows = np.unique(np.linspace(0, len(history.evaluations) - 1, MOST_SPARKS).astype(int))
    volumes = history.volumes[rows].round(6).tolist()
    return [list(pair) for pair in zip(history.evaluations[rows].tolist(), volumes, strict=True)]


def front(moment: Moment) -> dict[str, Any]:
    """The front's members, best first."""
    table = moment.table
    members = [
        {
            "number": number,
            "id": table.ids[row],
            "metrics": table.metrics_of(row),
            "patches": int(table.patches[row]),
            "split": int(table.split[row]),
        }
        for number, row in zip(moment.front.tolist(), table.rows_of(moment.front).tolist(), strict=True)
    ]
    return {
        "numbers": moment.front.tolist(),
        "members": members,
        "hypervolume": moment.hypervolume,
        "best": moment.best,
        "knee": moment.knee,
        "reference": moment.run.reference.to_dict(),
        "objectives": [objective_document(objective) for objective in moment.run.parts.objectives],
    }


def history(moment: Moment) -> dict[str, Any]:
    """The hypervolume after evaluations and after the seconds that they took."""
    found = moment.history
    return {
        "evaluations": found.evaluations.tolist(),
        "seconds": found.seconds.round(3).tolist(),
        "hypervolume": found.volumes.tolist(),
    }


def trials(moment: Moment, cursor: str, limit: int, options: bool = False) -> dict[str, Any]:
    """Trials that a cursor does not hold, by number, at most `limit`: a header and a row each.

    A row's kind is that of this moment. A member of the front leaves it once another dominates it; `front` names
    today's members, so that whoever keeps rows need not ask for them again. `WrongUse` for a text that is no cursor.
    """
    table = moment.table
    new = unseen(cursor, table.numbers)
    rows = new[:limit]
    told = np.ones(len(table), dtype=bool)
    told[new[limit:]] = False
    columns: dict[str, list[Any]] = dict(zip(_PLACE, _places(moment, rows), strict=True))
    columns |= {name: table.values(name, rows) for name in moment.metric_columns}
    if options:
        columns |= {f"choice.{c.name}": table.option_values(place, rows) for place, c in enumerate(table.choices)}
    return {
        "cursor": to_cursor(table.numbers[told]),
        "more": len(new) > limit,
        "columns": list(columns),
        "rows": list(zip(*columns.values(), strict=True)),
        "front": moment.front.tolist(),
    }


def _places(moment: Moment, rows: NDArray[np.intp]) -> list[list[Any]]:
    table, wanted = moment.table, rows.tolist()
    numbers = table.numbers[rows].tolist()
    return [
        numbers,
        [table.ids[row] for row in wanted],
        ["complete" if complete else "failed" for complete in table.complete[rows].tolist()],
        [moment.kinds[row] for row in wanted],
        table.patches[rows].tolist(),
        table.split[rows].tolist(),
        table.seconds[rows].round(3).tolist(),
        [table.errors.get(number, "") for number in numbers],
    ]


def health(moment: Moment) -> dict[str, Any]:
    """How well a search goes: what the budget admits, what failed and why, how good predictors are, where time went.

    `share_feasible`: of a sample of the space, by exact and predicted figures; None where that cannot be told.
    """
    run, table = moment.run, moment.table
    failures = Counter(table.errors[number] for number in table.numbers[~table.complete].tolist()).most_common()
    return {
        "evaluated": len(table),
        "kinds": dict(Counter(moment.kinds)),
        "share_feasible": _share_feasible(moment),
        "failures": [{"error": message, "count": count} for message, count in failures],
        "predictors": [predictor_document(each, each.cross_validated(), each.column) for each in run.parts.predictors],
        "rejected": int(table.rejected.sum()),
        "promised_and_measured": _promised_and_measured(moment),
        "strategy": strategy_title(run.config.strategy),
        "overhead": _overhead(moment),
    }


def _share_feasible(moment: Moment) -> float | None:
    try:
        return survey(moment.run.parts.pricer, moment.run.config.seed).share
    except FitnasError:
        return None


def _promised_and_measured(moment: Moment) -> list[dict[str, Any]]:
    """Networks whose latency was predicted, and measured after the search."""
    ids = {identifier: row for row, identifier in enumerate(moment.table.ids)}
    latencies = moment.table.column(LATENCY)
    return [
        {"id": identifier, "promised_ms": float(latencies[ids[identifier]]), "measured_ms": measured.value}
        for identifier, measured in measured_front(moment.run).items()
        if identifier in ids and np.isfinite(latencies[ids[identifier]])
    ]


def _overhead(moment: Moment) -> dict[str, Any]:
    """Seconds from the run's creation to its last change beside those that evaluations took, summed over workers."""
    record = moment.record
    wall = datetime.fromisoformat(record.updated) - datetime.fromisoformat(record.created)
    return {
        "wall_seconds": wall.total_seconds(),
        "evaluation_seconds": round(float(moment.table.seconds.sum()), 3),
        "workers": moment.run.config.workers,
    }
