"""`nas resume`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Json, Quiet, RunName


def resume(
    run: RunName,
    json: Json = False,
    json_events: Annotated[bool, typer.Option("--json-events", help="A line of JSON an event on stdout.")] = False,
    server: Annotated[str | None, typer.Option("--server", metavar="URL", help="A run of the service there.")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="With --server: the file of its token.")
    ] = None,
    quiet: Quiet = False,
) -> int:
    """Go on with an interrupted search from its last recorded trial."""
    if server is not None:
        from nas.cli.service_extra import require_service

        require_service("--server")
        from nas.cli.remote import resume_there

        return resume_there(run, server, token_file, as_json=json, quiet=quiet)
    from nas.cli.search_session import resume_run

    return resume_run(run, as_json=json, json_events=json_events, quiet=quiet)
