"""`nas train`."""

from typing import Annotated

import typer

from nas.cli.options import Json, Pick, Quiet, RunName


def train(
    run: RunName,
    pick: Pick = "knee",
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the training pictures.")] = 25,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Random weights instead of inherited ones.")
    ] = False,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Default 1e-3, from scratch 1e-2.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Default: the run's.", show_default=False)] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train one network of a run and score it on test pictures that the search never saw."""
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import print_json
    from nas.member import train_member
    from nas.reporting.training import print_training
    from nas.run import StoredRun
    from nas.searching import RUNS
    from nas.storage.run_directory import RunDirectory

    opened = StoredRun(RunDirectory.open(RUNS, run))
    report = train_member(
        opened,
        pick,
        epochs=epochs,
        from_scratch=from_scratch,
        learning_rate=learning_rate,
        seed=seed,
        reporter=TerminalReporter(quiet),
    )
    if json:
        print_json(report.to_document() | {"path": str(report.path)})
    else:
        print_training(stdout(), opened, report)
