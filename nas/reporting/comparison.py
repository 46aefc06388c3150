"""Runs side by side: what may be compared, in one common box; and what may not, said plainly."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.assembly import ACCURACY_OF
from nas.core.objective import keys_of, oriented_table
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.reporting.commands import shown_config
from nas.reporting.run_view import RunView
from nas.reporting.tables import quantity, title
from nas.run import StoredRun
from predictors.core.metric import METRICS, format_quantity
from search_spaces.core.errors import WrongUse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def comparison(runs: Sequence[StoredRun]) -> dict[str, Any]:
    """Plain JSON values: a row a run, their fronts, why they cannot be compared (or the common box and coverages),
    differences.

    `coverage[a][b]` is the share of b's front that a's dominates or equals. `WrongUse` for fewer than two runs.
    """
    names = [run.name for run in runs]
    if len(set(names)) < len(names) or len(names) < 2:
        raise WrongUse(f"nas compare takes two different runs or more, got: {' '.join(names)}; nas list names them")
    views = [RunView.of(run) for run in runs]
    reasons = not_comparable(views)
    rows = [_row(view) for view in views]
    document = {
        "runs": rows,
        "not_comparable": reasons,
        "notes": _notes(views),
        "reference": None,
        "coverage": None,
        "fronts": {view.name: [_member(trial) for trial in view.front] for view in views},
    }
    if not reasons:
        box = common_reference([view.run.reference for view in views], views[0])
        for row, view in zip(rows, views, strict=True):
            front = ParetoFront(view.front, view.parts.objectives, box, view.parts.budget)
            row["common_hypervolume"] = front.hypervolume
        objectives = [objective.key for objective in views[0].parts.objectives]
        document["reference"] = {"objectives": objectives, **box.to_dict()}
        document["coverage"] = {
            a.name: {b.name: coverage(a.front, b.front) for b in views if b is not a} for a in views
        }
    return document | {"differences": differences(views)}


def not_comparable(views: Sequence[RunView]) -> list[str]:
    """Why fronts must not be measured in one box; empty where they may."""
    facts = {
        "objectives": [keys_of(view.parts.objectives) for view in views],
        "data": [f"{view.config.data}, hash {view.record.data_hash[:12] or 'unknown'}" for view in views],
        "runtimes": [view.parts.runtime for view in views] if _has_memory_objective(views) else [],
        "measurements": [_measured(view) for view in views],
    }
    return [_differ(what, views, values) for what, values in facts.items() if len(set(values)) > 1]


def _measured(view: RunView) -> str:
    """Whose the objectives' measured figures are."""
    whose = view.parts.whose
    return "; ".join(whose[o.column] for o in view.parts.objectives if o.column in whose)


def _has_memory_objective(views: Sequence[RunView]) -> bool:
    return any(o.column in ("peak_sram_bytes", "flash_bytes") for view in views for o in view.parts.objectives)


def _differ(what: str, views: Sequence[RunView], values: Sequence[str]) -> str:
    return f"their {what} differ: " + "; ".join(f"{v.name} has {value}" for v, value in zip(views, values, strict=True))


def _notes(views: Sequence[RunView]) -> list[str]:
    """What a reader should know, though the fronts may be compared."""
    notes = []
    if len({view.data.get("split_hash") for view in views}) > 1:
        notes.append("accuracies are on different validation pictures: the seed draws them")
        if any(view.parts.proxy for view in views):
            notes.append("proxies looked at different pictures and weights: the seed draws them")
    notes += dict.fromkeys(view.parts.warning for view in views if view.parts.warning)
    if any(len(view.trials) < view.config.trials for view in views):
        notes.append("not every run is complete")
    by_evaluator = {view.parts.evaluator: ACCURACY_OF[view.parts.evaluator] for view in views}
    if len(by_evaluator) > 1:
        each = "; ".join(f"{view.name}: {by_evaluator[view.parts.evaluator]}" for view in views)
        return [*notes, f"accuracies are NOT measured alike: {each}"]
    return [*notes, next(iter(by_evaluator.values()))]


def common_reference(boxes: Sequence[Reference], view: RunView) -> Reference:
    """The smallest box that holds the box of every run: best ideal and worst worst of each objective."""
    objectives = view.parts.objectives
    ideals = oriented_table([box.ideal for box in boxes], objectives).min(axis=0)
    worsts = oriented_table([box.worst for box in boxes], objectives).max(axis=0)
    sign = np.asarray([1.0 if objective.minimise else -1.0 for objective in objectives])
    return Reference(tuple(ideals * sign), tuple(worsts * sign))


def coverage(first: ParetoFront, second: ParetoFront) -> float | None:
    """The share of `second` that a member of `first` dominates or equals (Zitzler and Thiele, 1999); None if empty."""
    if not len(second):
        return None
    ours, theirs = (oriented_table(front.values, front.objectives) for front in (first, second))
    covered = [bool((ours <= point).all(axis=1).any()) if len(ours) else False for point in theirs]
    return float(np.mean(covered))


def differences(views: Sequence[RunView]) -> dict[str, dict[str, Any]]:
    """Configuration keys whose values are not the same in all runs, by run."""
    configs = {view.name: shown_config(view.config) for view in views}
    keys = dict.fromkeys(key for config in configs.values() for key in config if key != "run")
    table = {key: {name: config.get(key) for name, config in configs.items()} for key in keys}
    return {key: values for key, values in table.items() if len({repr(value) for value in values.values()}) > 1}


def _row(view: RunView) -> dict[str, Any]:
    row = {
        "run": view.name,
        "state": view.run.state,
        "space": view.config.space,
        "budget": view.parts.budget.describe(view.parts.runtime),
        "runtime": view.parts.runtime,
        "trials": len(view.trials),
        "trials_planned": view.config.trials,
        "front": len(view.front),
        "hypervolume": view.front.hypervolume,
        "common_hypervolume": None,
        "seconds": sum(trial.seconds for trial in view.trials),
    }
    for mark in ("best", "knee"):
        trial = view.marked.get(mark)
        row[mark] = None if trial is None else _member(trial)
    return row


def _member(trial: Trial) -> dict[str, Any]:
    return {"number": trial.number, "id": trial.architecture.id, "metrics": dict(trial.metrics)}


def print_comparison(console: "Console", document: dict[str, Any]) -> None:
    """The document for people."""
    console.print(_table(document))
    for reason in document["not_comparable"]:
        console.print(f"NOT COMPARED: {reason}", markup=False)
    if document["reference"]:
        console.print(f"common box (hypervolume): {_box_words(document['reference'])}", markup=False)
        for first, shares in document["coverage"].items():
            for second, share in shares.items():
                words = "-" if share is None else f"{100 * share:.0f} %"
                console.print(f"  {words} of the front of {second} is dominated or equalled by {first}", markup=False)
    for note in document["notes"]:
        console.print(f"note: {note}", markup=False)
    if document["differences"]:
        console.print("configuration where it differs:")
        for key, values in document["differences"].items():
            words = ", ".join(f"{name}: {'default' if value is None else value}" for name, value in values.items())
            console.print(f"  {key:<16} {words}", markup=False)


def _table(document: dict[str, Any]) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for row in document["runs"]:
        table.add_column(escape(row["run"]), justify="right")
    lines: dict[str, list[str]] = {
        "state": [row["state"] for row in document["runs"]],
        "space": [row["space"] for row in document["runs"]],
        "budget": ["\n".join(row["budget"]) or "none" for row in document["runs"]],
        "trials": [f"{row['trials']:,}/{row['trials_planned']:,}" for row in document["runs"]],
        "evaluation seconds": [f"{row['seconds']:,.0f}" for row in document["runs"]],
        "front": [f"{row['front']:,}" for row in document["runs"]],
    }
    for mark in ("best", "knee"):
        for column in ("top1", "zero_cost", "macs", "peak_sram_bytes"):
            figures = [_figure(row[mark], column) for row in document["runs"]]
            if any(figure != "-" for figure in figures):
                lines[f"{mark}: {title(column)}"] = figures
    lines["hypervolume, own box"] = [f"{row['hypervolume']:.4f}" for row in document["runs"]]
    if document["reference"]:
        lines["hypervolume, common box"] = [f"{row['common_hypervolume']:.4f}" for row in document["runs"]]
    for name, cells in lines.items():
        table.add_row(name, *map(escape, cells))
    return table


def _figure(member: dict[str, Any] | None, column: str) -> str:
    return "-" if member is None or column not in member["metrics"] else quantity(column, member["metrics"][column])


def _box_words(reference: dict[str, Any]) -> str:
    parts = []
    for key, ideal, worst in zip(reference["objectives"], reference["ideal"], reference["worst"], strict=True):
        parts.append(f"{key} from {format_quantity(METRICS[key], ideal)} to {format_quantity(METRICS[key], worst)}")
    return "; ".join(parts)
