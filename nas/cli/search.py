"""`nas search`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli.options import Force, Json, Quiet

Text = str | None


def _option(*names: str, help: str, metavar: str | None = None) -> Any:  # noqa: A002 - typer's own word
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


def search(
    space: Annotated[Text, _option("--space", help="Search space; nas spaces lists them.")] = None,
    set_: Annotated[
        list[str] | None, _option("--set", metavar="KEY=VALUE", help="Setting of the space; repeatable.")
    ] = None,
    budget: Annotated[
        Text, _option("--budget", help="Hard limits, e.g. sram=256k,flash=1M,macs=30M,accuracy=90%.")
    ] = None,
    device: Annotated[
        Text, _option("--device", help="A device whose memory is the budget; nas devices lists them.")
    ] = None,
    reserve: Annotated[Text, _option("--reserve", help="Memory kept for other firmware, e.g. sram=32k.")] = None,
    runtime: Annotated[Text, _option("--runtime", help="Whose memory rule holds: analytic, tinyengine, c.")] = None,
    schedule: Annotated[Text, _option("--schedule", help="auto, none or PxN patches; default auto.")] = None,
    count_input: Annotated[bool, typer.Option("--count-input", help="Count the input image in SRAM.")] = False,
    data: Annotated[
        Text, _option("--data", help="Folder or zip of class folders (pictures or .wav), .npz, or digits (default).")
    ] = None,
    objectives: Annotated[
        Text, _option("--objectives", help="Default accuracy,macs; also params, sram, flash, size.")
    ] = None,
    strategy: Annotated[Text, _option("--strategy", help="auto (default), evolution or random.")] = None,
    evaluator: Annotated[Text, _option("--evaluator", help="supernet, train or table; default: the space's.")] = None,
    fidelity: Annotated[
        Text,
        _option("--fidelity", help="How long each network trains alone: epochs=10, or with halving epochs=3,9,27."),
    ] = None,
    table: Annotated[
        Text, _option("--table", metavar="FILE", help="Known results, .csv or .parquet, for --evaluator table.")
    ] = None,
    recipe: Annotated[
        bool, typer.Option("--recipe", help="Search learning rate, weight decay, augmentation, epochs as well.")
    ] = False,
    trials: Annotated[int | None, _option("--trials", help="Networks to evaluate; default 200.")] = None,
    time: Annotated[Text, _option("--time", help="Stop after this long, e.g. 10m; supernet training included.")] = None,
    supernet_epochs: Annotated[
        int | None, _option("--supernet-epochs", help="Default: about 38,400 pictures, 5 to 15 epochs.")
    ] = None,
    supernet_from: Annotated[
        Text, _option("--supernet-from", metavar="RUN", help="Take the shared weights of that run.")
    ] = None,
    tracking: Annotated[Text, _option("--tracking", help="tensorboard (default), wandb, both or none.")] = None,
    accelerator: Annotated[Text, _option("--accelerator", help="auto (default), cpu, cuda or mps.")] = None,
    workers: Annotated[
        int | None, _option("--workers", help="Evaluations at once, at most 9; default: one for each core.")
    ] = None,
    backend: Annotated[Text, _option("--backend", help="ray_tune (default) or inline (of a table).")] = None,
    ray_address: Annotated[
        Text, _option("--ray-address", help="auto or HOST:PORT of a Ray cluster that is up; default: a private one.")
    ] = None,
    store: Annotated[
        Text, _option("--store", help="SQLAlchemy URL of the trials; default: run.db in the run's folder.")
    ] = None,
    seed: Annotated[int | None, _option("--seed", help="Default 0.")] = None,
    run: Annotated[Text, _option("--run", help="Name of the run; default: numbered after the space.")] = None,
    config: Annotated[Path | None, _option("--config", help="A run.toml; flags go over it.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the budget admits and how long it would take.")
    ] = False,
    force: Force = False,
    json: Json = False,
    json_events: Annotated[bool, typer.Option("--json-events", help="A line of JSON an event on stdout.")] = False,
    quiet: Quiet = False,
) -> int:
    """Search a space for the networks that are best for your data and fit your budget."""
    given = locals().copy()  # the options by the names that the configuration uses, and this command's own
    from nas.cli.search_session import Session

    session = Session(given, set_ or [], config)
    if dry_run:
        return session.dry_run(as_json=json, quiet=quiet)
    return session.search(force=force, as_json=json, json_events=json_events, quiet=quiet)
