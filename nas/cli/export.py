"""`nas export`."""

from typing import Annotated

import typer

from nas.cli.options import Force, Out, Pick, RunName


def export(
    run: RunName,
    pick: Pick = "knee",
    to: Annotated[str, typer.Option("--to", help="Format: pytorch.")] = "pytorch",
    out: Out = None,
    force: Force = False,
) -> None:
    """Write one network for use elsewhere, with the figures that were promised."""
    from nas.cli.console import stdout
    from nas.deployment import export_member
    from nas.run import StoredRun
    from nas.searching import RUNS
    from nas.storage.run_directory import RunDirectory

    folder = export_member(StoredRun(RunDirectory.open(RUNS, run)), pick, to, out, force)
    console = stdout()
    console.print(
        f"{folder}/ ({', '.join(sorted(path.name for path in folder.iterdir() if path.is_file()))})", markup=False
    )
    console.print(f"next: nas cost {folder / 'architecture.json'} --layers", markup=False)
