"""How a search ended: the front, the hypervolume, where the results lie, what to type next."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nas.assembly import SUPERNET
from nas.front_latency import promise_line, promises
from nas.reporting.commands import next_commands
from nas.reporting.stitching import anchor_lines
from nas.reporting.tables import front_table, marks_of, measured_words
from nas.run import StoredRun
from nas.searching import Outcome

if TYPE_CHECKING:
    from rich.console import Console

_LONGEST_FRONT = 30


def print_front(console: "Console", run: StoredRun) -> None:
    """The front as a table, with its hypervolume and what to take care of; says so where it is empty."""
    front = run.pareto
    if not len(front):
        console.print(
            f"run '{run.name}' has no complete trial within its budget yet; go on with: nas resume {run.name}"
        )
        return
    shown = front.trials[:_LONGEST_FRONT]
    marks = marks_of(front.best(), front.knee())
    balanced = bool(run.data_document().get("imbalanced"))
    whose = run.parts.whose
    console.print(front_table(shown, front.objectives, marks, balanced, whose))
    if len(front) > len(shown):
        console.print(f"... and {len(front) - len(shown)} more in {run.directory.front}")
    runtime = run.parts.runtime
    console.print(
        f"hypervolume {front.hypervolume:.4f} of the box between the best possible and the limits; "
        f"SRAM and flash for {run.parts.numbers}, runtime {runtime}{measured_words(whose)}"
    )
    if run.parts.warning:
        console.print(f"warning: {run.parts.warning}", markup=False)


def print_outcome(console: "Console", outcome: Outcome) -> None:
    """What a person sees at the end of `nas search`."""
    run = outcome.run
    trials = run.trials
    failed = sum(trial.state == "failed" for trial in trials)
    rejected = sum(trial.rejected for trial in trials)
    console.print()
    print_front(console, run)
    console.print(
        f"{len(trials)} networks evaluated{f' ({failed} failed)' if failed else ''}, {rejected:,} candidates rejected "
        f"before evaluation, in {outcome.seconds:.0f} s{_of_these(outcome)}"
    )
    if run.parts.unexecutable:
        console.print(f"not executable: {run.parts.unexecutable}; accuracy is simulated", markup=False)
    promised = promise_line(run)
    if promised:
        console.print(promised, markup=False)
    for line in anchor_lines(run, trials):
        console.print(line, markup=False)
    kept = [path.stat().st_size for path in run.kept_weights.glob("*.safetensors")]
    if kept:
        console.print(f"weights of the {len(kept)} networks of the front kept: {sum(kept) / 2**20:.1f} MiB")
    account = outcome.accounting
    if account is not None and account.evaluation_seconds > 0:
        console.print(
            f"wall time not spent evaluating, {account.workers} workers: {100 * account.idle_share:.0f} %, "
            f"without the start {100 * account.idle_share_without_start:.0f} %"
        )
    console.print(f"results: {run.path}/ (pareto.json, trials.parquet, run.db)")
    console.print("next:")
    for command in next_commands(run):
        console.print(f"  {command}", markup=False)


def _of_these(outcome: Outcome) -> str:
    is_trained = outcome.run.parts.evaluator == SUPERNET and not outcome.run.config.supernet_from
    return f" ({outcome.supernet_seconds:.0f} s for the supernet)" if is_trained else ""


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """The same as JSON."""
    run, account = outcome.run, outcome.accounting
    return {
        **run_document(run),
        "conclusion": outcome.conclusion,
        "complete": outcome.reason.complete,
        "seconds": round(outcome.seconds, 3),
        "supernet_seconds": round(outcome.supernet_seconds, 3),
        "workers": account.workers if account else None,
        "idle_share": round(account.idle_share, 4) if account else None,
        "idle_share_without_start": round(account.idle_share_without_start, 4) if account else None,
        "next": next_commands(run),
    }


def run_document(run: StoredRun) -> dict[str, Any]:
    """A run as JSON: its state, counts and front."""
    trials = run.trials
    return {
        "run": run.name,
        "path": str(run.path),
        "state": run.state,
        "space": run.config.space,
        "runtime": run.parts.runtime,
        "budget": run.parts.budget.describe(run.parts.runtime),
        "measured": dict(run.parts.whose),
        "warning": run.parts.warning or None,
        "unexecutable": run.parts.unexecutable or None,
        "trials": len(trials),
        "failed": sum(trial.state == "failed" for trial in trials),
        "rejected": sum(trial.rejected for trial in trials),
        "front": run.pareto.to_dict(),
        "front_latency": [asdict(each) for each in promises(run)],
    }
