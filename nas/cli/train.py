"""`nas train`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Json, Pick, Quiet, RunName

_Epochs = Annotated[
    int | None,
    typer.Option("--epochs", help="Passes over the pictures; default 25, or the recipe's.", show_default=False),
]
_FromScratch = Annotated[bool, typer.Option("--from-scratch", help="Random weights instead of inherited ones.")]
_LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate", help="Default: the space's, a tenth of it from inherited weights.", show_default=False
    ),
]
_InitFrom = Annotated[
    str | None,
    typer.Option(
        "--init-from",
        help="Weights of a larger network: RUN:ID, an exported folder, or a .safetensors file, also timm's.",
        show_default=False,
    ),
]
_Distill = Annotated[
    Path | None,
    typer.Option("--distill", help="A teacher's stored answers (nas distill) for labels.", show_default=False),
]
_Quantized = Annotated[
    bool,
    typer.Option(
        "--quantized", help="Learn with rounding in place: the network's own policy, nas quantize's, or int8."
    ),
]
_Policy = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="Another policy, for --quantized.", show_default=False),
]
_Seed = Annotated[int | None, typer.Option("--seed", help="Default: the run's.", show_default=False)]
_Seeds = Annotated[int, typer.Option("--seeds", help="Trainings with successive seeds: mean and spread.")]


def train(
    run: RunName,
    pick: Pick = "knee",
    epochs: _Epochs = None,
    from_scratch: _FromScratch = False,
    learning_rate: _LearningRate = None,
    init_from: _InitFrom = None,
    distill: _Distill = None,
    quantized: _Quantized = False,
    policy: _Policy = None,
    seed: _Seed = None,
    seeds: _Seeds = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train one network of a run and score it on test pictures that the search never saw."""
    from nas.assembly import RUNS
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import print_json
    from nas.inheriting import weights_to_inherit
    from nas.member import train_seeds
    from nas.member_quantization import member_policy
    from nas.reporting.training import print_training, training_document
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory
    from search_spaces.core.errors import WrongUse

    opened = StoredRun(RunDirectory.open(RUNS, run))
    if policy is not None and not quantized:
        raise WrongUse("--policy says how --quantized trains; give both, or leave both away")
    reports = train_seeds(
        opened,
        pick,
        seeds,
        epochs=epochs,
        from_scratch=from_scratch,
        learning_rate=learning_rate,
        distill=distill,
        inherited=weights_to_inherit(init_from, RUNS) if init_from else None,
        policy=member_policy(opened, opened.pick(pick), policy) if quantized else None,
        seed=seed,
        reporter=TerminalReporter(quiet),
    )
    if json:
        print_json(training_document(reports))
    else:
        print_training(stdout(), opened, reports)
