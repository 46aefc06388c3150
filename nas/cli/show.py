"""`nas show`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Force, Json, RunName, Server, TokenFile
from search_spaces.core.errors import WrongUse


def show(
    run: RunName,
    pick: Annotated[
        str | None,
        typer.Argument(metavar="[ID|best|knee]", help="One network instead of the front.", show_default=False),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", metavar="FILE", help="Draw the network into this file.", show_default=False),
    ] = None,
    force: Force = False,
    json: Json = False,
    server: Server = None,
    token_file: TokenFile = None,
) -> None:
    """Show a run's Pareto front, or one of its networks."""
    if server is not None:
        _show_there(run, pick, svg, server, token_file, json)
        return
    from nas.assembly import RUNS
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.member import member_document, print_member
    from nas.reporting.outcome import print_front, run_document
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    if svg is not None and pick is None:
        raise WrongUse(f"--svg draws one network; say which, for example: nas show {run} knee --svg {svg}")
    opened = StoredRun(RunDirectory.open(RUNS, run))
    if pick is None:
        if json:
            print_json(run_document(opened))
            return
        console, document = stdout(), run_document(opened)
        limits = "; ".join(document["budget"]) or "none"
        console.print(
            f"run '{opened.name}', {document['state']}: {document['trials']} of {opened.config.trials} trials, "
            f"budget: {limits}"
        )
        print_front(console, opened)
        return
    trial = opened.pick(pick)
    if svg is not None:
        from nas.reporting.drawing import write_drawing

        write_drawing(opened, trial, svg, force)
    if json:
        print_json(member_document(opened, trial))
    else:
        print_member(stdout(), opened, trial)


def _show_there(
    run: str, pick: str | None, svg: Path | None, server: str, token_file: Path | None, as_json: bool
) -> None:
    from nas.cli.remote import show_there

    if svg is not None:
        raise WrongUse(
            f"--svg draws runs of this folder; the service draws at {server}/api/v1/runs/{run}/architectures/"
            f"{pick or 'knee'}/drawing.svg"
        )
    show_there(run, pick, server, token_file, as_json=as_json)
