"""`nas profile`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Force, Json, Quiet

_Space = Annotated[str, typer.Option("--space", help="Search space; nas spaces lists them.", show_default=False)]
_Out = Annotated[
    Path, typer.Option("--out", help="CSV file, a row a network. One that was begun goes on.", show_default=False)
]
_Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Setting of the space; repeatable.", show_default=False),
]
_Data = Annotated[
    str | None,
    typer.Option("--data", help="Data whose input is meant; default: the published one.", show_default=False),
]
_Budget = Annotated[
    str | None,
    typer.Option("--budget", help="Only networks within exact limits, e.g. macs=30M.", show_default=False),
]
_Device = Annotated[
    str,
    typer.Option(
        "--device",
        help="host: this machine's CPU; cortex-m4 or another simulated core, or a device with a calibration (--runtime "
        "c); any other name with --export.",
    ),
]
_Runtime = Annotated[
    str,
    typer.Option("--runtime", help="onnxruntime or torch; c on simulated cores; with --export what runs there."),
]
_Threads = Annotated[int, typer.Option("--threads", help="Each on a processor of its own.")]
_Batch = Annotated[int, typer.Option("--batch", help="Pictures at once; a latency is that of all.")]
_Samples = Annotated[int, typer.Option("--samples", help="Networks, spread over the space's operators.")]
_Seed = Annotated[int, typer.Option("--seed", help="Of the choice of networks.")]
_Quantize = Annotated[
    str | None,
    typer.Option(
        "--quantize", metavar="fp32,int8", help="Networks with a width for each operator.", show_default=False
    ),
]
_Export = Annotated[
    Path | None,
    typer.Option(
        "--export", metavar="DIR", help="Write each network as .onnx, to be measured elsewhere.", show_default=False
    ),
]


def profile(
    space: _Space,
    out: _Out,
    set_: _Set = None,
    data: _Data = None,
    budget: _Budget = None,
    device: _Device = "host",
    runtime: _Runtime = "onnxruntime",
    threads: _Threads = 1,
    batch: _Batch = 1,
    samples: _Samples = 30,
    seed: _Seed = 0,
    quantize: _Quantize = None,
    export: _Export = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure latencies of networks that span a space, for a predictor; or write them for your own board."""
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import parsed_settings, print_json
    from nas.config import RunConfig
    from nas.core.measured import Target
    from nas.profiling import precision_of, prepare_profile
    from nas.reporting.profile import print_profile, profile_document

    named = {
        name: value for name, value in (("data", data), ("budget", budget), ("quantize", quantize)) if value is not None
    }
    config = RunConfig.checked(space=space, set=parsed_settings(set_ or []), seed=seed, **named)
    precision = "int8" if runtime == "c" else precision_of(config)
    target = Target(device, runtime, precision, threads, batch)
    reporter = TerminalReporter(quiet)
    job = prepare_profile(config, target, samples, out, export, force, reporter)
    for line in job.lines(samples):
        reporter.note(line)
    rows = job.run(reporter)
    document = profile_document(job, rows)
    if document["noise"]:
        reporter.note(f"warning: {document['noise']}")
    if json:
        print_json(document)
    else:
        print_profile(stdout(), document)
