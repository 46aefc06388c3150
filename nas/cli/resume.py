"""`nas resume`."""

from typing import Annotated

import typer

from nas.cli.options import Json, Quiet, RunName


def resume(
    run: RunName,
    json: Json = False,
    json_events: Annotated[bool, typer.Option("--json-events", help="A line of JSON an event on stdout.")] = False,
    quiet: Quiet = False,
) -> int:
    """Go on with an interrupted search from its last recorded trial."""
    from nas.cli.search_session import resume_run

    return resume_run(run, as_json=json, json_events=json_events, quiet=quiet)
