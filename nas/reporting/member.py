"""One network of a run for people: figures, blocks, schedule, what it scores."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nas.assembly import ACCURACY_OF
from nas.core.trial import Trial
from nas.front_latency import measured_front
from nas.pricing import promised
from nas.reporting.tables import quantity, schedule
from nas.run import StoredRun
from predictors.core.metric import METRIC_OF_COLUMN, METRICS, format_quantity

if TYPE_CHECKING:
    from rich.console import Console


def member_document(run: StoredRun, trial: Trial) -> dict[str, Any]:
    """A trial as JSON, with the report of its training where it was trained."""
    report = run.members / trial.architecture.id / "report.json"
    trained = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else None
    return {"id": trial.architecture.id, **trial.to_dict(), "trained": trained}


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
    for line in _predicted_lines(run, trial):
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


def _predicted_lines(run: StoredRun, trial: Trial) -> list[str]:
    """Of predicted figures: the interval, whether the network is like those learnt from, and what was measured."""
    lines = []
    for column, whose in run.parts.pricer.predicted.items():
        if column in trial.metrics:
            held = promised(column, trial.metrics)
            unlike = "unlike all that was learnt from; " if trial.metrics[f"{column}_extrapolated"] else ""
            low, high = (trial.metrics.get(end, 0.0) for end in (f"{column}_low", held))
            metric = METRIC_OF_COLUMN[column]
            ends = "" if held == column else f"interval {low:.4g} to {high:.4g} {metric.unit}; "
            lines.append(f"          {metric.key}: {ends}{unlike}{whose}")
    measured = measured_front(run).get(trial.architecture.id)
    return [*lines, *([f"          measured {measured.value:.4g} ms"] if measured else [])]


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
