"""`nas list`."""

from nas.cli.options import Json


def list_runs(json: Json = False) -> None:
    """List the runs of this folder."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.run import StoredRun
    from nas.searching import RUNS
    from nas.storage.run_directory import RunDirectory
    from search_spaces.core.errors import FitnasError

    rows = []
    for name in RunDirectory.names(RUNS):
        run = StoredRun(RunDirectory.open(RUNS, name))
        try:
            record, count = run.record, len(run.trials)
            row = {"run": name, "state": record.state, "trials": count, "space": run.config.space}
            rows.append(row | {"budget": run.config.budget, "created": record.created})
        except FitnasError as error:
            rows.append({"run": name, "state": f"unreadable: {error}"})
    if json:
        print_json(rows)
        return
    console = stdout()
    if not rows:
        console.print(f"no runs in {RUNS}/ yet; start one with: nas search --space mcunetv2")
    for row in rows:
        console.print("  ".join(str(value) for value in row.values() if value != ""), markup=False)
