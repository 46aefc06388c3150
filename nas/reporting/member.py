"""One network of a run for people: figures, blocks, schedule, what it scores."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nas.assembly import ACCURACY_OF
from nas.core.trial import Trial
from nas.costing import layers_of
from nas.front_latency import measured_front
from nas.pricing import promised
from nas.reporting.commands import member_commands
from nas.reporting.tables import quantity, schedule
from nas.run import StoredRun
from nas.storage.sheet import LATENCY
from predictors.core.metric import METRIC_OF_COLUMN, METRICS, format_quantity

if TYPE_CHECKING:
    from rich.console import Console


def member_document(run: StoredRun, trial: Trial) -> dict[str, Any]:
    """A trial as JSON, with all that is known of its network: what it costs layer by layer, what was promised of it and
    measured, the report of its training where it was trained, and the commands that do something with it.
    """
    return {
        "id": trial.architecture.id,
        **trial.to_dict(),
        "options": dict(trial.architecture.options),
        "schedule": {"patches": trial.patches, "split": trial.split, "words": schedule(trial.patches, trial.split)},
        "runtime": run.parts.runtime,
        "limits": dict(run.parts.budget.limits),
        "promised": _promised(run, trial),
        "measured": _measured(run, trial),
        "layers": [layer.to_document() for layer in layers_of(run, trial)],
        "trained": _trained(run, trial),
        "commands": member_commands(run.name, trial.architecture.id),
    }


def _trained(run: StoredRun, trial: Trial) -> dict[str, Any] | None:
    report = run.members / trial.architecture.id / "report.json"
    document: dict[str, Any] | None = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else None
    return document


def _measured(run: StoredRun, trial: Trial) -> dict[str, float]:
    """What was measured of it after the search, by column."""
    measured = measured_front(run).get(trial.architecture.id)
    return {LATENCY: measured.value} if measured else {}


def _promised(run: StoredRun, trial: Trial) -> dict[str, dict[str, Any]]:
    """Of predicted figures, by column: the figure, its interval, whether the network is like those learnt from."""
    found = {}
    for column, whose in run.parts.pricer.predicted.items():
        if column in trial.metrics:
            held = promised(column, trial.metrics)
            found[column] = {
                "predicted": trial.metrics[column],
                "low": trial.metrics.get(f"{column}_low") if held != column else None,
                "high": trial.metrics[held] if held != column else None,
                "extrapolated": bool(trial.metrics[f"{column}_extrapolated"]),
                "whose": whose,
            }
    return found


def print_member(console: "Console", run: StoredRun, trial: Trial) -> None:
    """The network's figures beside the budget, its choices by block, and its training."""
    document = member_document(run, trial)
    console.print(f"network {trial.architecture.id}, trial {trial.number} of run '{run.name}' ({trial.state})")
    if trial.error:
        console.print(f"  error: {trial.error}", markup=False)
    limits = run.parts.budget.limits
    for metric in METRICS.values():
        if metric.column in trial.metrics:
            limit = f"   limit {format_quantity(metric, limits[metric.column])}" if metric.column in limits else ""
            console.print(f"  {metric.key:<9} {format_quantity(metric, trial.metrics[metric.column])}{limit}")
    for line in _predicted_lines(document):
        console.print(f"  {line}", markup=False)
    layerwise = trial.metrics.get("macs_layerwise")
    recomputed = f", {quantity('macs', layerwise)} MACs without recomputation" if layerwise and trial.split else ""
    console.print(f"  schedule  {schedule(trial.patches, trial.split)}{recomputed}, runtime {run.parts.runtime}")
    if "bitops_int8" in trial.metrics:
        int8, few = trial.metrics["bitops_int8"], trial.metrics["bitops"]
        console.print(f"  8 bits    {quantity('bitops', int8)} bit operations, {int8 / few:.2f} times as many")
    if run.parts.unexecutable:
        console.print(f"  not executable: {run.parts.unexecutable}", markup=False)
    console.print()
    console.print(choices_table(trial.architecture.options))
    if document["trained"]:
        trained = document["trained"]
        console.print(
            f"{trained['weights']} for {trained['epochs']} epochs: validation "
            f"{quantity('top1', trained['validation_top1'])}, test {quantity('top1', trained['test_top1'])}"
        )
    else:
        console.print(
            f"not trained yet ({ACCURACY_OF[run.parts.evaluator]}); type: nas train {run.name} "
            f"--pick {trial.architecture.id}"
        )


def _predicted_lines(document: dict[str, Any]) -> list[str]:
    """Of predicted figures: the interval, whether the network is like those learnt from, and what was measured."""
    lines = []
    for column, told in document["promised"].items():
        unlike = "unlike all that was learnt from; " if told["extrapolated"] else ""
        metric = METRIC_OF_COLUMN[column]
        ends = "" if told["high"] is None else f"interval {told['low']:.4g} to {told['high']:.4g} {metric.unit}; "
        lines.append(f"          {metric.key}: {ends}{unlike}{told['whose']}")
    return [*lines, *(f"          measured {value:.4g} ms" for value in document["measured"].values())]


def choices_table(options: Mapping[str, Any]) -> Any:
    """The choices: one row a block or stage, one column a kind of choice."""
    from rich.table import Table

    rows: dict[str, dict[str, Any]] = {}
    for name, option in options.items():
        place, _, what = name.rpartition(".")
        rows.setdefault(place or "network", {})[what] = option
    kinds = list(dict.fromkeys(what for row in rows.values() for what in row))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("block")
    for kind in kinds:
        table.add_column(kind, justify="right")
    for place, row in rows.items():
        table.add_row(place, *(str(row.get(kind, "")) for kind in kinds))
    return table
