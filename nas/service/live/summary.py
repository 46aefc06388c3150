"""A run in a few figures: what lists and heads of pages say of it."""

from collections.abc import Mapping
from typing import Any

from nas.core.objective import Objective
from nas.core.trial import Trial
from nas.service.live.live_run import LiveRun
from nas.storage.service_store import Labels

_SPARKS = 60


def summary(live: LiveRun, labels: Labels, job: Mapping[str, Any] | None) -> dict[str, Any]:
    """As JSON. `job`: the one that works on the run, or waits to, as `Supervisor.document` tells it."""
    run, front = live.run, live.front
    history = live.history(_SPARKS)
    volumes = history.volumes.tolist()
    progress = (job or {}).get("progress") or {}
    searching = live.record.state == "searching"
    return {
        "name": run.name,
        "space": run.config.space_name,
        "state": run.state,
        "job": None if job is None else {key: job[key] for key in ("id", "kind", "state", "position", "progress")},
        "trials": len(live.trials),
        "trials_planned": run.config.trials,
        "created": live.record.created,
        "updated": live.record.updated,
        "evaluation_seconds": round(live.seconds, 3),
        "eta_seconds": live.eta_seconds if searching else progress.get("eta_seconds"),
        "budget": run.parts.budget.describe(run.parts.runtime),
        "limits": dict(run.parts.budget.limits),
        "objectives": [objective_document(each) for each in run.parts.objectives],
        "best": member(front.best()) if len(front) else None,
        "knee": member(front.knee()) if len(front) else None,
        "front": len(front),
        "hypervolume": volumes[-1],
        "sparkline": [list(step) for step in zip(history.evaluations.tolist(), volumes, strict=True)],
        "note": labels.note,
        "tags": list(labels.tags),
        "unexecutable": run.parts.unexecutable or None,
    }


def objective_document(objective: Objective) -> dict[str, str]:
    """A metric to improve."""
    metric = objective.metric
    return {"key": metric.key, "column": metric.column, "unit": metric.unit, "better": metric.better}


def member(trial: Trial) -> dict[str, Any]:
    """One network of a front."""
    how = {"patches": trial.patches, "split": trial.split}
    return {"number": trial.number, "id": trial.architecture.id, "metrics": dict(trial.metrics), **how}
