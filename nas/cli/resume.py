"""`nas resume`."""

from typing import Annotated

import typer

from nas.cli.options import Json, Quiet, RunName, Server, TokenFile


def resume(
    run: RunName,
    json: Json = False,
    json_events: Annotated[bool, typer.Option("--json-events", help="A line of JSON an event on stdout.")] = False,
    server: Server = None,
    token_file: TokenFile = None,
    quiet: Quiet = False,
) -> int:
    """Go on with an interrupted search from its last recorded trial."""
    if server is not None:
        from nas.cli.remote import resume_there

        return resume_there(run, server, token_file, as_json=json, quiet=quiet)
    from nas.cli.search_session import resume_run

    return resume_run(run, as_json=json, json_events=json_events, quiet=quiet)
