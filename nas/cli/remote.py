"""`nas search` and `nas resume` on a service: `--server`."""

import sys
from pathlib import Path
from typing import Any

import typer

from nas.cli.search_session import print_json
from nas.config import RunConfig
from nas.service_client import ServiceClient
from search_spaces.core.errors import NotFound, Refused, WrongUse, shown

_FAILED = 1
_KNOWN_DATA = "dataset:"


def search_there(
    config: RunConfig, server: str, token_file: Path | None, *, force: bool, as_json: bool, quiet: bool
) -> int:
    """Searches on the service, and tells what a search here would have told; the exit code."""
    with ServiceClient(server, _token(token_file)) as client:
        values = config.model_dump(mode="json", exclude_unset=True)
        if "data" in values and values["data"] != "digits" and not values["data"].startswith(_KNOWN_DATA):
            values["data"] = _KNOWN_DATA + client.upload(Path(values["data"]))
        started = client.post(f"runs?force={str(force).lower()}", values)
        return _follow(client, started["run"], started["job"]["id"], as_json=as_json, quiet=quiet)


def resume_there(run: str, server: str, token_file: Path | None, *, as_json: bool, quiet: bool) -> int:
    """Goes on with a run of the service, or follows the job that does already; the exit code."""
    with ServiceClient(server, _token(token_file)) as client:
        try:
            job = client.post(f"runs/{run}/resume")
        except Refused:
            live = [job for state in ("running", "queued") for job in client.get(f"jobs?run={run}&state={state}")]
            if not live:
                raise
            job = live[0]
        return _follow(client, run, job["id"], as_json=as_json, quiet=quiet)


def _token(file: Path | None) -> str:
    if file is None:
        raise WrongUse("--server needs --token-file FILE, with what nas token create printed")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise NotFound(f"the token file {shown(str(file), 200)} cannot be read; check --token-file") from None


def _follow(client: ServiceClient, run: str, job: str, *, as_json: bool, quiet: bool) -> int:
    from nas.cli.main import Stopped

    document: dict[str, Any] = {}
    try:
        for kind, told in client.follow(job):
            if kind == "job":
                document = told
            elif not quiet:
                sys.stderr.write(told)
                sys.stderr.flush()
    except Stopped as stopped:
        sys.stderr.write(
            f"nas: the run '{run}' goes on at {client.address}; follow it with: nas resume {run} --server "
            f"{client.address} --token-file FILE; stop it with: curl -X POST -H 'Authorization: Bearer TOKEN' "
            f"{client.address}/api/v1/runs/{run}/stop\n"
        )
        return 128 + stopped.number
    if quiet and document["message"]:
        sys.stderr.write(f"nas: {document['message']}\n")
    code = document["exit_code"] if document["exit_code"] is not None else _FAILED
    if document["state"] == "complete":
        _print(client, run, as_json)
    return int(code)


def _print(client: ServiceClient, run: str, as_json: bool) -> None:
    """The front of a run that is over."""
    found = client.get(f"runs/{run}/outcome")
    if as_json:
        print_json(found["document"])
    else:
        typer.echo(found["text"], nl=False)
