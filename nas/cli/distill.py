"""`nas distill`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Quiet


def distill(
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher",
            help="RUN:ID, an exported folder, timm:NAME (from the hub) or timm:NAME@WEIGHTS (a local file).",
            show_default=False,
        ),
    ],
    data: Annotated[
        str, typer.Option("--data", help="Folder, zip, .npz or digits, as in nas search.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the answers.", show_default=False)],
    top_k: Annotated[int, typer.Option("--top-k", help="Probabilities kept of each view; at most the classes.")] = 10,
    epochs: Annotated[
        int, typer.Option("--epochs", help="Epochs in all; more than there are: the rest is added.")
    ] = 30,
    pixels: Annotated[
        int | None, typer.Option("--pixels", help="Side of the views; default: the teacher's.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of split and views; default: the teacher's run, or 0.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Store a teacher's answers on augmented pictures, for any number of students: nas train RUN --distill OUT."""
    from nas.cli.console import TerminalReporter, stdout
    from nas.distilling import distill as write

    options = {"top_k": top_k, "epochs": epochs, "pixels": pixels, "seed": seed}
    job = write(teacher, data, out, TerminalReporter(quiet), **options)
    console = stdout()
    console.print(f"{job.epochs} epochs in {out}/ ({job.bytes:,} bytes)", markup=False)
    console.print(f"next: nas train RUN --pick knee --distill {out}", markup=False)
