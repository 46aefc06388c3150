"""All runs of a folder, a row each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.pareto import ParetoFront
from nas.reporting.tables import quantity, size
from nas.run import StoredRun
from nas.storage.run_directory import RunDirectory
from search_spaces.core.errors import FitnasError

if TYPE_CHECKING:
    from rich.table import Table

_TO_THE_MINUTE = 16


def run_rows(root: Path) -> list[dict[str, Any]]:
    """Plain JSON values, a row a run by name; a run that cannot be read says why in `state`."""
    return [_row(StoredRun(RunDirectory.open(root, name))) for name in RunDirectory.names(root)]


def _row(run: StoredRun) -> dict[str, Any]:
    disk = run.directory.size_bytes()
    try:
        record, trials, parts = run.record, run.trials, run.parts
        front = ParetoFront(trials, parts.objectives, None, parts.budget)
        scores = [trial.metrics["top1"] for trial in front if "top1" in trial.metrics]
        return {
            "run": run.name,
            "state": run.state,
            "trials": len(trials),
            "trials_planned": run.config.trials,
            "best_top1": max(scores, default=None),
            "space": run.config.space,
            "budget": run.config.budget,
            "device": run.config.device,
            "bytes": disk,
            "created": record.created,
        }
    except FitnasError as error:
        return {"run": run.name, "state": f"unreadable: {error}", "bytes": disk}


def runs_table(rows: Sequence[dict[str, Any]]) -> "Table":
    """The rows for people."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "state"):
        table.add_column(title, no_wrap=title == "run")
    for title in ("trials", "best accuracy"):
        table.add_column(title, justify="right")
    table.add_column("space")
    table.add_column("budget")
    table.add_column("on disk", justify="right")
    table.add_column("created (UTC)")
    for row in rows:
        state = escape(row["state"])
        if "trials" not in row:
            table.add_row(row["run"], state, "", "", "", "", _on_disk(row), "")
            continue
        best = "-" if row["best_top1"] is None else quantity("top1", row["best_top1"])
        limits = ", ".join(part for part in (row.get("device"), row["budget"]) if part) or "none"
        count = f"{row['trials']:,}/{row['trials_planned']:,}"
        created = row["created"][:_TO_THE_MINUTE].replace("T", " ")
        table.add_row(row["run"], state, count, best, row["space"], escape(limits), _on_disk(row), created)
    return table


def _on_disk(row: dict[str, Any]) -> str:
    return size(row["bytes"]) if "bytes" in row else ""
