"""`nas serve`."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[str, typer.Option("--host", help="Where to listen; 0.0.0.0 for other machines.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0: any that is free.")] = 8080,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", help="SQLAlchemy URL of runs, tokens and jobs; default: SQLite files.", show_default=False
        ),
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", help="A Ray cluster that evaluates.", show_default=False)
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="Where the first token is, or will be written.", show_default=False),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name of this machine; repeatable.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            help="Jobs at once; default: one for each two processors and 4 GiB of memory.",
            show_default=False,
        ),
    ] = None,
    max_upload: Annotated[
        str, typer.Option("--max-upload", metavar="SIZE", help="Largest zip of a data set, for example 2G.")
    ] = "256M",
) -> None:
    """Serve this folder's runs: a dashboard for the browser, and the same over HTTP for programs."""
    from nas.assembly import RUNS
    from nas.cli.service_extra import require_service

    require_service("nas serve")
    from nas.service.serving import serve as run
    from nas.service.settings import ServiceSettings, fitting_jobs
    from predictors.core.metric import metric, parse_quantity

    settings = ServiceSettings(
        RUNS.absolute(),
        host,
        port,
        store,
        ray_address,
        token_file,
        tuple(allow_host or ()),
        jobs or fitting_jobs(),
        int(parse_quantity(metric("size"), max_upload)),
    )
    run(settings, _tell)


def _tell(address: str, secret: str, file: Path | None) -> None:
    """A token that is there already is told on a terminal alone: other output may be kept in logs."""
    if file is None or sys.stdout.isatty():
        typer.echo(f"{address}/#token={secret}")
        typer.echo(f"token: {secret}")
    else:
        typer.echo(address)
        typer.echo(f"the token is in {file}")
