"""One network of a run: `/runs/{name}/architectures/{pick}`, its drawing; and the run's report and health."""

from collections import Counter
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from nas.assembly import strategy_class
from nas.costing import layers_of
from nas.deployment import format_names, writes_whole_run
from nas.front_latency import measured_front
from nas.reporting.drawing import drawing_of
from nas.reporting.member import member_document
from nas.reporting.report import REPORT_POLICY, report_html
from nas.reporting.run_view import RunView
from nas.service.security.access import Reading
from nas.service.service import Using

router = APIRouter(prefix="/runs/{name}", tags=["networks"])


@router.get("/architectures/{pick}")
def show_network(name: str, pick: str, caller: Reading, service: Using) -> dict[str, Any]:
    """A network by id, trial number, `best` or `knee`: figures, choices, layers, what was measured, what to type."""
    live = service.live.of(name)
    trial = live.picked(pick)
    run, identifier = live.run, trial.architecture.id
    document = member_document(run, trial)
    measured = measured_front(run).get(identifier)
    meant = f"{name} --pick {identifier}"
    formats = [each for each in format_names() if not writes_whole_run(each)]
    return {
        **{key: document[key] for key in ("id", "number", "state", "metrics", "patches", "split", "error", "trained")},
        "kind": live.kind(trial),
        "options": dict(trial.architecture.options),
        "limits": dict(run.parts.budget.limits),
        "runtime": run.parts.runtime,
        "measured": {"latency_ms": measured.value} if measured else {},
        "layers": [layer.to_document() for layer in layers_of(run, trial)],
        "commands": {
            "train": f"nas train {meant}",
            "export": {each: f"nas export {meant} --to {each} --out {identifier}/" for each in formats},
            "cost": f"nas cost {name}:{identifier} --layers",
        },
    }


@router.get("/architectures/{pick}/drawing.svg")
def draw_network(name: str, pick: str, caller: Reading, service: Using) -> Response:
    """The network block by block, with the bytes alive at each operator."""
    live = service.live.of(name)
    trial = live.picked(pick)
    return Response(
        drawing_of(live.run, trial, pick if pick in ("best", "knee") else "").svg(), media_type="image/svg+xml"
    )


@router.get("/report", response_class=HTMLResponse)
def show_report(name: str, caller: Reading, service: Using) -> HTMLResponse:
    """The run as one page that needs no network; it forbids itself every request."""
    live = service.live.of(name, at_once=True)
    return HTMLResponse(report_html(RunView.of(live.run)), headers={"content-security-policy": REPORT_POLICY})


@router.get("/health")
def show_health(name: str, caller: Reading, service: Using) -> dict[str, Any]:
    """How well the search itself goes: what was dropped, what failed and why, what predictors promised."""
    live = service.live.of(name)
    trials, parts = live.trials, live.run.parts
    failed = Counter(trial.error for trial in trials if trial.state == "failed")
    rejected = sum(trial.rejected for trial in trials)
    kinds = Counter(live.kind(trial) for trial in trials)
    predictors = [
        {"column": column, "whose": whose, "extrapolated": _extrapolated(live.trials, column)}
        for column, whose in parts.pricer.predicted.items()
    ]
    return {
        "evaluated": len(trials),
        "rejected": rejected,
        "share_feasible": len(trials) / (len(trials) + rejected) if trials else None,
        "kinds": dict(kinds),
        "failures": [{"error": error, "count": count} for error, count in failed.most_common()],
        "predictors": predictors,
        "promised_and_measured": _promised_and_measured(live.run, trials),
        "seconds_an_evaluation": live.seconds / len(trials) if trials else None,
        "strategy": (strategy_class(live.run.config.strategy).__doc__ or "").strip().splitlines()[0],
    }


def _extrapolated(trials: Any, column: str) -> int:
    return sum(bool(trial.metrics.get(f"{column}_extrapolated")) for trial in trials)


def _promised_and_measured(run: Any, trials: Any) -> list[dict[str, Any]]:
    known = measured_front(run)
    return [
        {"id": trial.architecture.id, "promised_ms": trial.metrics.get("latency_ms"), "measured_ms": measured.value}
        for trial in trials
        if (measured := known.get(trial.architecture.id)) is not None
    ]
