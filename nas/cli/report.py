"""`nas report`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Force, Json, RunName


def report(
    run: RunName,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Default: report.html in the run's folder.", show_default=False),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write a run as one HTML file: front, networks, progress, choices, every trial; opens without a network."""
    from nas.assembly import RUNS
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.report import write_report
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    path = write_report(StoredRun(RunDirectory.open(RUNS, run)), out, force)
    size = path.stat().st_size
    if json:
        print_json({"run": run, "path": str(path), "bytes": size})
    else:
        stdout().print(f"{path} ({size / 1e6:.1f} MB), open it in a browser", markup=False)
