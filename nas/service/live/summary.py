"""A run in a few figures: what lists and heads of pages say of it."""

from collections.abc import Mapping
from typing import Any

from nas.core.objective import Objective
from nas.core.trial import Trial
from nas.service.live.live_run import LiveRun
from nas.storage.service_store import Labels

_SPARKS = 60


def figures(live: LiveRun) -> dict[str, Any]:
    """What the run itself says, as JSON."""
    run, front = live.run, live.front
    history = live.history(_SPARKS)
    volumes = history.volumes.tolist()
    return {
        "name": run.name,
        "space": run.config.space_name,
        "state": live.state,
        "trials": len(live.trials),
        "trials_planned": run.config.trials,
        "created": live.record.created,
        "updated": live.record.updated,
        "evaluation_seconds": round(live.seconds, 3),
        "eta_seconds": live.eta_seconds,
        "budget": run.parts.budget.describe(run.parts.runtime),
        "limits": dict(run.parts.budget.limits),
        "objectives": [objective_document(each) for each in run.parts.objectives],
        "best": member(front.best()) if len(front) else None,
        "knee": member(front.knee()) if len(front) else None,
        "front": len(front),
        "hypervolume": volumes[-1],
        "sparkline": [list(step) for step in zip(history.evaluations.tolist(), volumes, strict=True)],
        "unexecutable": run.parts.unexecutable or None,
    }


def told(found: Mapping[str, Any], labels: Labels, job: Mapping[str, Any] | None) -> dict[str, Any]:
    """Figures with what people wrote on the run, and the job that works on it or waits to."""
    progress = (job or {}).get("progress") or {}
    shown = None if job is None else {key: job[key] for key in ("id", "kind", "state", "position", "progress")}
    left = found.get("eta_seconds") or progress.get("eta_seconds")
    return {**found, "eta_seconds": left, "job": shown, "note": labels.note, "tags": list(labels.tags)}


def objective_document(objective: Objective) -> dict[str, str]:
    """A metric to improve."""
    metric = objective.metric
    return {"key": metric.key, "column": metric.column, "unit": metric.unit, "better": metric.better}


def member(trial: Trial) -> dict[str, Any]:
    """One network of a front."""
    how = {"patches": trial.patches, "split": trial.split}
    return {"number": trial.number, "id": trial.architecture.id, "metrics": dict(trial.metrics), **how}
