"""`nas delete`."""

import sys
from typing import Annotated

import typer

from nas.cli.options import Json
from search_spaces.core.errors import FitnasError, WrongUse


def delete(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs to delete.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Delete runs for good: their folders, and their trials in a shared database."""
    from nas.assembly import RUNS
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.tables import size
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    # every name is looked up before anything goes
    opened = [StoredRun(RunDirectory.open(RUNS, name)) for name in dict.fromkeys(runs)]
    total = sum(run.directory.size_bytes() for run in opened)
    if not yes:
        _ask(f"delete {', '.join(run.name for run in opened)} ({size(total)}) for good?")
    rows = []
    for run in opened:
        freed = run.delete()
        rows.append({"run": run.name, "freed_bytes": freed})
        if not json:
            stdout().print(f"deleted {run.name}, {size(freed)} freed", markup=False)
    if json:
        print_json(rows)


def _ask(question: str) -> None:
    """Returns where the person at the terminal agrees; `WrongUse` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise WrongUse(f"{question} Nobody can be asked without a terminal: give --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FitnasError("nothing was deleted")
