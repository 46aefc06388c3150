"""`nas list`."""

from nas.cli.options import Json, Server, TokenFile


def list_runs(json: Json = False, server: Server = None, token_file: TokenFile = None) -> None:
    """List the runs of this folder, or of a service."""
    if server is not None:
        from nas.cli.remote import list_there

        list_there(server, token_file, as_json=json)
        return
    from nas.assembly import RUNS
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.reporting.listing import run_rows, runs_table

    rows = run_rows(RUNS)
    if json:
        print_json(rows)
    elif not rows:
        stdout().print(f"no runs in {RUNS}/ yet; start one with: nas search --space mcunetv2")
    else:
        stdout().print(runs_table(rows))
