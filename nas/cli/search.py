"""`nas search`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli.options import Force, Json, Quiet, TokenFile

Text = str | None


def _option(*names: str, help: str, metavar: str | None = None) -> Any:  # noqa: A002 - typer's own word
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


_Space = Annotated[Text, _option("--space", help="Search space; nas spaces lists them.")]
_Set = Annotated[list[str] | None, _option("--set", metavar="KEY=VALUE", help="Setting of the space; repeatable.")]
_Budget = Annotated[
    Text,
    _option(
        "--budget",
        help="Hard limits, e.g. sram=256k,macs=30M,accuracy=90%,throughput=200/s. Throughput and latency are measured "
        "on this machine's CPU, whatever --accelerator says, unless a --predictor knows them.",
    ),
]
_Device = Annotated[Text, _option("--device", help="A device whose memory is the budget; nas devices lists them.")]
_Predictor = Annotated[
    list[str] | None,
    _option(
        "--predictor",
        metavar="FOLDER",
        help="Predicts latency or energy on a device from what was measured there; nas predictor fit. Repeatable.",
    ),
]
_Reserve = Annotated[Text, _option("--reserve", help="Memory kept for other firmware, e.g. sram=32k.")]
_Runtime = Annotated[Text, _option("--runtime", help="Whose memory rule holds: analytic, tinyengine, c.")]
_Schedule = Annotated[Text, _option("--schedule", help="auto, none or PxN patches; default auto.")]
_StrictRuntime = Annotated[
    bool, typer.Option("--strict-runtime", help="Only schedules that the runtime's own generator accepts.")
]
_CountInput = Annotated[bool, typer.Option("--count-input", help="Count the input image in SRAM.")]
_MacConvention = Annotated[
    Text, _option("--mac-convention", help="products (default: with attention's), conv-linear or fvcore.")
]
_Data = Annotated[
    Text,
    _option("--data", help="Folder or zip of class folders (pictures or .wav), .npz, or digits (default of a search)."),
]
_Objectives = Annotated[
    Text,
    _option(
        "--objectives",
        help="Default accuracy,macs; with --quantize int8_accuracy,size (per-patch: bitops); also params, sram, flash, "
        "bitops, throughput, latency, zero_cost.",
    ),
]
_Strategy = Annotated[
    Text, _option("--strategy", help="auto (default), or another of: nas strategies. propose: the space's own rule.")
]
_Evaluator = Annotated[Text, _option("--evaluator", help="supernet, train, table or zero_cost; default: the space's.")]
_Fidelity = Annotated[
    Text,
    _option("--fidelity", help="How long each network trains alone: epochs=10, or with halving epochs=3,9,27."),
]
_Table = Annotated[
    Text, _option("--table", metavar="FILE", help="Known results, .csv or .parquet, for --evaluator table.")
]
_Proxy = Annotated[
    Text,
    _option(
        "--proxy",
        metavar="NAME",
        help="Whom --evaluator zero_cost asks of untrained networks: nwot (default), synflow, jacob_cov, grad_norm or "
        "snip. Its score is no accuracy.",
    ),
]
_Recipe = Annotated[
    bool, typer.Option("--recipe", help="Search learning rate, weight decay, augmentation, epochs as well.")
]
_Quantize = Annotated[
    Text,
    _option(
        "--quantize",
        metavar="fp32,int8,w4",
        help="Search the width of each operator as well: fp32, int8, wN (weights of N bits) or wNaM. per-patch: "
        "int8, but patches have bits by their values (QuantMCU).",
    ),
]
_PerPatch = Annotated[
    Text,
    _option(
        "--per-patch",
        metavar="lambda=...,outliers=...",
        help="How --quantize per-patch finds bits: lambda (0 to 1), outliers (standard deviations, or none), "
        "bits (8:4:2), by (picture or position), entropy (noise or codes).",
    ),
]
_AllowUnexecutable = Annotated[
    bool, typer.Option("--allow-unexecutable", help="Admit widths that the runtime does not execute.")
]
_Measure = Annotated[
    Text,
    _option(
        "--measure",
        metavar="batch=32,threads=1",
        help="How throughput (and latency, one picture) is measured here: on the CPU, whatever --accelerator says.",
    ),
]
_Trials = Annotated[int | None, _option("--trials", help="Networks to evaluate; default 200.")]
_Time = Annotated[Text, _option("--time", help="Stop after this long, e.g. 10m; supernet training included.")]
_SupernetEpochs = Annotated[
    int | None,
    _option(
        "--supernet-epochs", help="Default: about 38,400 pictures, 5 to 15 epochs; with uniform three times as many."
    ),
]
_Sampling = Annotated[
    Text,
    _option(
        "--sampling",
        help="What a supernet's step trains: sandwich (default of most spaces: the largest, random ones, at times the "
        "smallest), uniform (one random network; default where networks are stitched) or multi (several, each on its "
        "part of the batch, at one resolution).",
    ),
]
_Subnets = Annotated[
    int | None, _option("--subnets", help="Random networks a step; default: 3 of sandwich, 2 of multi.")
]
_SupernetFrom = Annotated[Text, _option("--supernet-from", metavar="RUN", help="Take the shared weights of that run.")]
_Distill = Annotated[
    Text,
    _option(
        "--distill",
        metavar="FOLDER",
        help="A teacher's stored answers (nas distill) take the place of labels in the supernet's training.",
    ),
]
_Tracking = Annotated[Text, _option("--tracking", help="tensorboard (default), wandb, both or none.")]
_Accelerator = Annotated[Text, _option("--accelerator", help="auto (default), cpu, cuda or mps.")]
_Workers = Annotated[
    int | None, _option("--workers", help="Evaluations at once, at most 9; default: one for each core.")
]
_Backend = Annotated[Text, _option("--backend", help="ray_tune (default) or inline (of a table).")]
_RayAddress = Annotated[
    Text, _option("--ray-address", help="auto or HOST:PORT of a Ray cluster that is up; default: a private one.")
]
_Store = Annotated[Text, _option("--store", help="SQLAlchemy URL of the trials; default: run.db in the run's folder.")]
_Seed = Annotated[int | None, _option("--seed", help="Default 0.")]
_Run = Annotated[Text, _option("--run", help="Name of the run; default: numbered after the space.")]
_Config = Annotated[Path | None, _option("--config", help="A run.toml; flags go over it.")]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what the budget admits and, with --data, how long it would take.")
]
_Server = Annotated[Text, _option("--server", metavar="URL", help="Search on the service there; nas serve starts one.")]
_JsonEvents = Annotated[bool, typer.Option("--json-events", help="A line of JSON an event on stdout.")]


def search(
    space: _Space = None,
    set_: _Set = None,
    budget: _Budget = None,
    device: _Device = None,
    predictor: _Predictor = None,
    reserve: _Reserve = None,
    runtime: _Runtime = None,
    schedule: _Schedule = None,
    strict_runtime: _StrictRuntime = False,
    count_input: _CountInput = False,
    mac_convention: _MacConvention = None,
    data: _Data = None,
    objectives: _Objectives = None,
    strategy: _Strategy = None,
    evaluator: _Evaluator = None,
    fidelity: _Fidelity = None,
    table: _Table = None,
    proxy: _Proxy = None,
    recipe: _Recipe = False,
    quantize: _Quantize = None,
    per_patch: _PerPatch = None,
    allow_unexecutable: _AllowUnexecutable = False,
    measure: _Measure = None,
    trials: _Trials = None,
    time: _Time = None,
    supernet_epochs: _SupernetEpochs = None,
    supernet_from: _SupernetFrom = None,
    distill: _Distill = None,
    sampling: _Sampling = None,
    subnets: _Subnets = None,
    tracking: _Tracking = None,
    accelerator: _Accelerator = None,
    workers: _Workers = None,
    backend: _Backend = None,
    ray_address: _RayAddress = None,
    store: _Store = None,
    seed: _Seed = None,
    run: _Run = None,
    config: _Config = None,
    server: _Server = None,
    token_file: TokenFile = None,
    dry_run: _DryRun = False,
    force: Force = False,
    json: Json = False,
    json_events: _JsonEvents = False,
    quiet: Quiet = False,
) -> int:
    """Search a space for the networks that are best for your data and fit your budget."""
    given = locals().copy()  # the options by the names that the configuration uses, and this command's own
    from nas.cli.search_session import Session

    session = Session(given, set_ or [], config)
    if server is not None:
        return session.search_there(
            server, token_file, dry_run=dry_run, force=force, as_json=json, json_events=json_events, quiet=quiet
        )
    if dry_run:
        return session.dry_run(as_json=json, quiet=quiet)
    if session.needs_no_data:
        return session.propose(as_json=json, quiet=quiet)
    return session.search(force=force, as_json=json, json_events=json_events, quiet=quiet)
