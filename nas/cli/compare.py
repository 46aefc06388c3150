"""`nas compare`."""

from typing import Annotated

import typer

from nas.cli.options import Json


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.", show_default=False)],
    json: Json = False,
) -> None:
    """Compare runs: accuracy, hypervolume in one common box, whose front dominates whose, how they were configured."""
    from nas.assembly import RUNS
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.comparison import comparison, print_comparison
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    document = comparison([StoredRun(RunDirectory.open(RUNS, name)) for name in runs])
    if json:
        print_json(document)
    else:
        print_comparison(stdout(), document)
