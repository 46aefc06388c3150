"""`nas export`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Force, Out, RunName


def export(
    run: RunName,
    pick: Annotated[
        str | None,
        typer.Option("--pick", help="knee (default), best, the id of a network or a trial number.", show_default=False),
    ] = None,
    to: Annotated[
        str,
        typer.Option("--to", help="Format: pytorch, timm, onnx, tflite, c; or optuna, the whole run as a study."),
    ] = "pytorch",
    all_routes: Annotated[
        bool,
        typer.Option("--all", help="Stitched networks: all routes as one network, which switches by a budget of MACs."),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="onnx: in integers, by the policy of nas quantize or nas train --quantized, else all int8; a network "
            "that was searched with its widths keeps those.",
        ),
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="c: portable, cortex-m4, cortex-m7 or cortex-m55; default: the core of the run's device.",
            show_default=False,
        ),
    ] = None,
    out: Out = None,
    hub_dir: Annotated[
        Path | None,
        typer.Option("--hub-dir", help="timm: also write a folder to push to a model hub.", show_default=False),
    ] = None,
    force: Force = False,
) -> None:
    """Write one network for use elsewhere, with the figures that were promised; or the whole run."""
    from nas.assembly import RUNS
    from nas.cli.console import stdout
    from nas.deployment import ELASTIC, export_member, next_step
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory
    from search_spaces.core.errors import WrongUse

    if all_routes and to != "pytorch":
        raise WrongUse(f"--all writes a pytorch module, not --to {to}; leave one of them away")
    to = ELASTIC if all_routes else to
    opened = StoredRun(RunDirectory.open(RUNS, run))
    written = export_member(opened, pick, to, out, force, hub_dir=hub_dir, int8=int8 or None, target=target)
    console = stdout()
    for folder in [written, *([hub_dir] if hub_dir is not None else [])]:
        console.print(_contents(folder), markup=False)
    console.print(f"next: {next_step(to, written)}", markup=False)


def _contents(written: Path) -> str:
    if written.is_file():
        return str(written)
    return f"{written}/ ({', '.join(sorted(path.name for path in written.iterdir() if path.is_file()))})"
