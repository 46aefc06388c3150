"""`nas baselines`."""

from nas.cli.options import Force, Json, Quiet, RunName


def baselines(run: RunName, force: Force = False, json: Json = False, quiet: Quiet = False) -> None:
    """Search what a joint search of architecture and widths is compared with; the report then shows it."""
    from nas.assembly import RUNS
    from nas.baselines import search_baselines
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import print_json
    from nas.reporting.baselines import print_baselines
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    found = search_baselines(StoredRun(RunDirectory.open(RUNS, run)), force, TerminalReporter(quiet))
    if json:
        print_json(found.to_document())
    else:
        print_baselines(stdout(), found)
