"""`nas bench`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Json, Quiet


def bench(
    suite: Annotated[str, typer.Option("--suite", help="Known networks: nb201 (NAS-Bench-201, CIFAR-100).")] = "nb201",
    strategies: Annotated[str, typer.Option("--strategies", help="Names with commas between.")] = "random,auto",
    devices: Annotated[
        str, typer.Option("--devices", help="Whose latency is the second objective, with commas between.")
    ] = "gold_6226,raspi4,fpga",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Searches of each strategy on each device.")] = 10,
    evaluations: Annotated[
        str, typer.Option("--evaluations", help="After how many the fronts are judged.")
    ] = "50,100,250",
    lag: Annotated[int | None, typer.Option("--lag", min=0, help="As in a search.", show_default=False)] = None,
    tables: Annotated[
        Path | None,
        typer.Option("--tables", help="Folder of the tables; default: FITNAS_DATA.", show_default=False),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tell how near strategies come to exactly known fronts, by evaluations: nothing is trained."""
    from nas.benching import bench as scores
    from nas.benching import counts, names
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import print_json
    from nas.conductor import LAG
    from nas.reporting.scores import print_scores

    found = scores(
        suite,
        names(strategies, "--strategies"),
        names(devices, "--devices"),
        range(seeds),
        TerminalReporter(quiet),
        tables,
        counts(evaluations),
        LAG if lag is None else lag,
    )
    if json:
        print_json([score.to_document() for score in found])
    else:
        print_scores(stdout(), list(found))
