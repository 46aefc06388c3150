"""`nas quantize`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Force, Json, Pick, Quiet, RunName


def quantize(
    run: RunName,
    budget: Annotated[
        str,
        typer.Option(
            "--budget", help="What widths decide, such as size=200k,bitops=1G (also flash).", show_default=False
        ),
    ],
    pick: Pick = "knee",
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="NAME",
            help="greedy (default), hessian, sensitivity, relevance, uniform, or all: side by side, the best is kept.",
            show_default=False,
        ),
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option(
            "--widths",
            metavar="fp32,int8,w4a8",
            help="What an operator may have: fp32, int8, wN, wNaM. Default: all that the runtime executes.",
            show_default=False,
        ),
    ] = None,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="What executes the network; default: the run's.", show_default=False)
    ] = None,
    allow_unexecutable: Annotated[
        bool, typer.Option("--allow-unexecutable", help="Admit widths that the runtime does not execute.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; default: policy.json in the member's folder.", show_default=False),
    ] = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find how many bits each operator of one network gets within a budget."""
    from nas.assembly import RUNS
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import print_json
    from nas.quantization.policies import DEFAULT
    from nas.quantizing import Question, quantize_member
    from nas.reporting.quantization import print_quantization
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    opened = StoredRun(RunDirectory.open(RUNS, run))
    question = Question(budget, policy or DEFAULT, widths, runtime, allow_unexecutable)
    report = quantize_member(opened, pick, question, out=out, force=force, reporter=TerminalReporter(quiet))
    if json:
        print_json(report.to_document())
    else:
        print_quantization(stdout(), report)
