"""`nas search`, `nas resume`, `nas list` and `nas show` of a service: `--server`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import typer

from nas.cli.search_session import print_json
from nas.cli.service_extra import require_service
from nas.config import RunConfig
from search_spaces.core.errors import NotFound, Refused, WrongUse, shown

if TYPE_CHECKING:
    from nas.service_client import ServiceClient

_FAILED = 1
_KNOWN_DATA = "dataset:"


def search_there(
    config: RunConfig, server: str, token_file: Path | None, *, force: bool, as_json: bool, quiet: bool
) -> int:
    """Searches on the service, and tells what a search here would have told; the exit code."""
    with _client(server, token_file) as client:
        values = config.model_dump(mode="json", exclude_unset=True)
        if "data" in values and values["data"] != "digits" and not values["data"].startswith(_KNOWN_DATA):
            values["data"] = _KNOWN_DATA + client.upload(Path(values["data"]))
        started = client.post(f"runs?force={str(force).lower()}", values)
        return _follow(client, started["run"], started["job"]["id"], as_json=as_json, quiet=quiet)


def resume_there(run: str, server: str, token_file: Path | None, *, as_json: bool, quiet: bool) -> int:
    """Goes on with a run of the service, or follows the job that does already; the exit code."""
    with _client(server, token_file) as client:
        try:
            job = client.post(f"runs/{run}/resume")
        except Refused:
            live = [job for state in ("running", "queued") for job in client.get(f"jobs?run={run}&state={state}")]
            if not live:
                raise
            job = live[0]
        return _follow(client, run, job["id"], as_json=as_json, quiet=quiet)


def list_there(server: str, token_file: Path | None, *, as_json: bool) -> None:
    """Prints the runs of the service, the newest first."""
    from nas.cli.console import stdout
    from nas.reporting.listing import runs_table

    with _client(server, token_file) as client:
        rows, asked = [], {"limit": "1000"}
        while True:
            page = client.get(f"runs?{urlencode(asked)}")
            rows += page["runs"]
            if page["next"] is None:
                break
            asked["after"] = page["next"]
    listed = [_listed(row) for row in rows]
    if as_json:
        print_json(listed)
    elif not listed:
        stdout().print(f"no runs at {server} yet; start one with: nas search --space mcunetv2 --server {server} ...")
    else:
        stdout().print(runs_table(listed))


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the service by the names of `nas list` here, and what more it knows; a run that is not begun or cannot
    be read has a state alone.
    """
    found = {"run": row["name"], **{name: value for name, value in row.items() if name != "name"}}
    if "trials" not in row:
        return found
    best = (row["best"] or {}).get("metrics", {}).get("top1")
    return {**found, "best_top1": best, "budget": "; ".join(row["budget"])}


def show_there(run: str, pick: str | None, server: str, token_file: Path | None, *, as_json: bool) -> None:
    """Prints the front of a run of the service, or one of its networks."""
    with _client(server, token_file) as client:
        _print(client, run, as_json, pick)


def _client(server: str, token_file: Path | None) -> "ServiceClient":
    """`FitnasError` where the extra is missing."""
    require_service("--server")
    from nas.service_client import ServiceClient

    return ServiceClient(server, _token(token_file))


def _token(file: Path | None) -> str:
    if file is None:
        raise WrongUse("--server needs --token-file FILE, with what nas token create printed")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise NotFound(f"the token file {shown(str(file), 200)} cannot be read; check --token-file") from None


def _follow(client: "ServiceClient", run: str, job: str, *, as_json: bool, quiet: bool) -> int:
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


def _print(client: "ServiceClient", run: str, as_json: bool, pick: str | None = None) -> None:
    """The front of a run, or one network."""
    found = client.get(f"runs/{quote(run, safe='')}/outcome" + (f"?{urlencode({'pick': pick})}" if pick else ""))
    if as_json:
        print_json(found["document"])
    else:
        typer.echo(found["text"], nl=False)
