"""`nas predictor`: figures on a device and accuracy, from what was measured; and what untrained networks tell."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli.options import Force, Json, Quiet

predictor = typer.Typer(
    name="predictor",
    help="Predict latency, energy or accuracy from what was measured; ask zero-cost proxies.",
    no_args_is_help=True,
)

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="What nas predictor fit wrote.", show_default=False)]
_Figures = Annotated[
    list[Path],
    typer.Argument(
        metavar="FIGURES.csv|RUN...",
        help="Measured networks, as nas profile writes them or counted, or a lookup table of operators; with --metric "
        "accuracy runs of one space, or rows with a column top1.",
        show_default=False,
    ),
]
_Judges = Annotated[
    Path,
    typer.Argument(metavar="ROWS.csv|RUN", help="Measured networks; of accuracy also another run.", show_default=False),
]
_Data = Annotated[
    str | None,
    typer.Option("--data", help="What proxies look at, where accuracies come from a file.", show_default=False),
]


def _told(name: str, what: str) -> Any:
    return typer.Option(name, help=f"{what}, instead of that in the file.", show_default=False)


_Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="latency, energy or accuracy; default: latency or energy, whose column the file has.",
        show_default=False,
    ),
]
_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Default: a robust sum over operators, and trees on top where they help; of accuracy random_forest.",
    ),
]
_Proxies = Annotated[
    str | None,
    typer.Option("--proxies", help="Of accuracy: what is learnt from beside; nwot (default), others, or none."),
]
_Calibrate = Annotated[
    Path | None,
    typer.Option(
        "--calibrate",
        metavar="ROWS.csv",
        help="Measured networks of a space: the factor of a lookup table, and its interval.",
        show_default=False,
    ),
]


@predictor.command("fit")
def fit(
    figures: _Figures,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
    device: Annotated[str | None, _told("--device", "Name of the device")] = None,
    runtime: Annotated[str | None, _told("--runtime", "Who executed")] = None,
    precision: Annotated[str | None, _told("--precision", "Such as fp32 or int8")] = None,
    threads: Annotated[int | None, _told("--threads", "How many executed")] = None,
    batch: Annotated[int | None, _told("--batch", "Pictures at once")] = None,
    metric: _Metric = None,
    model: _Model = None,
    calibrate: _Calibrate = None,
    proxies: _Proxies = None,
    data: _Data = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn from measured networks, or take a lookup table, and tell how well each network is predicted from others."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.predicting import fit_predictor
    from nas.reporting.predictors import predictor_document, print_scores_of
    from predictors.core.metric import METRIC_OF_COLUMN
    from search_spaces.core.errors import WrongUse

    told = {"device": device, "runtime": runtime, "precision": precision, "threads": threads, "batch": batch}
    if metric == "accuracy":
        _refuse("belongs to latency and energy; accuracy is that of a space on data", **told, calibrate=calibrate)
        _fit_accuracy(figures, out, model, proxies, data, force, json, quiet)
        return
    _refuse("is for --metric accuracy; latency is learnt without", proxies=proxies, data=data)
    if len(figures) > 1:
        raise WrongUse("several sources are for --metric accuracy; latency learns from one file")
    made, scores = fit_predictor(figures[0], out, metric, model, force, calibrate, **told)
    if json:
        print_json(predictor_document(made, scores, str(out)))
        return
    console = stdout()
    console.print(f"{out}/: model {made.model_name}, {made.whose}", markup=False)
    if scores:
        print_scores_of(console, scores, "each predicted from the others")
    if not made.has_interval:
        console.print(f"a limit is {made.promise}", markup=False)
    limit, space = METRIC_OF_COLUMN[made.column].key, made.space_name or "SPACE"
    space = space.replace("+quantization", " --quantize ...").replace("+recipe", " --recipe")
    console.print(f"next: nas search --space {space} --predictor {out} --budget {limit}=...", markup=False)


def _refuse(why: str, **options: object) -> None:
    """`WrongUse` where one of these is given."""
    from search_spaces.core.errors import WrongUse

    for name, value in options.items():
        if value is not None:
            raise WrongUse(f"--{name} {why}: leave it away")


def _fit_accuracy(
    sources: list[Path],
    out: Path,
    model: str | None,
    proxies: str | None,
    data: str | None,
    force: bool,
    json: bool,
    quiet: bool,
) -> None:
    from nas.accuracy_fitting import fit_accuracy
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import print_json
    from nas.reporting.accuracy_predictor import accuracy_document, print_accuracy_scores

    made, scores = fit_accuracy(sources, out, model, proxies, data, force, reporter=TerminalReporter(quiet))
    if json:
        print_json(accuracy_document(made, scores, str(out)))
        return
    console = stdout()
    console.print(f"{out}/: model {made.model_name}, {made.told}", markup=False)
    print_accuracy_scores(console, scores, "each predicted from the others")
    console.print(f"next: nas predictor evaluate {out} RUN, another run of {made.space_name}", markup=False)


@predictor.command("evaluate")
def evaluate(folder: _Folder, rows: _Judges, data: _Data = None, json: Json = False, quiet: Quiet = False) -> None:
    """Tell how well a predictor knows networks that it has not learnt from."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.predicting import evaluate_predictor
    from nas.reporting.predictors import predictor_document, print_scores_of
    from nas.storage.learnt_folder import predicted_metric

    if predicted_metric(folder) == "accuracy":
        _evaluate_accuracy(folder, rows, data, json, quiet)
        return
    known, scores = evaluate_predictor(folder, rows)
    if json:
        print_json(predictor_document(known, scores, str(folder)))
    else:
        print_scores_of(stdout(), scores, f"{rows}, {known.whose}")


def _evaluate_accuracy(folder: Path, source: Path, data: str | None, json: bool, quiet: bool) -> None:
    from nas.accuracy_fitting import evaluate_accuracy
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import print_json
    from nas.reporting.accuracy_predictor import accuracy_document, print_accuracy_scores

    found = evaluate_accuracy(folder, source, data, reporter=TerminalReporter(quiet))
    if json:
        print_json(accuracy_document(found.predictor, found.scores, str(folder), found.remarks))
    else:
        print_accuracy_scores(stdout(), found.scores, f"{source}, by {found.predictor.told}", found.remarks)


@predictor.command("operators")
def operators(
    space: Annotated[str, typer.Option("--space", help="Search space; nas spaces lists them.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="CSV file, a row an operator.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Setting of the space; repeatable.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Data whose input is meant; default: the published one.", show_default=False),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="TABLE.csv",
            help="Leave out what this lookup table has, or a predictor's folder.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write the operators of a space with an empty latency: the lookup table that its networks need."""
    from nas.cli.console import stdout
    from nas.cli.search_session import parsed_settings
    from nas.predicting import write_operators

    found, share = write_operators(space, parsed_settings(set_ or []), data, out, table, force)
    console = stdout()
    if table is not None:
        console.print(f"{100 * share:.3g} % of sampled networks have no operator that {table} lacks", markup=False)
    console.print(f"{out}: {found} operators; those of most networks first, rare ones may be missing", markup=False)


@predictor.command("proxies")
def proxies(
    space: Annotated[
        str | None, typer.Option("--space", help="Search space; nas spaces lists them.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Setting of the space; repeatable.", show_default=False),
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="As in nas search; default: digits.")] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Networks of a run, whose accuracy is known.", show_default=False),
    ] = None,
    names: Annotated[str | None, typer.Option("--proxies", help="Names with commas between; default: all.")] = None,
    samples: Annotated[int, typer.Option("--samples", min=3, help="Networks.")] = 50,
    pictures: Annotated[int, typer.Option("--pictures", min=2, help="In the one batch that is looked at.")] = 32,
    seed: Annotated[int, typer.Option("--seed", help="Of networks, weights and pictures.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask zero-cost proxies of untrained networks: what they cost, and whether they order networks as accuracy does."""
    from nas.assembly import RUNS
    from nas.cli.console import TerminalReporter, stdout
    from nas.cli.search_session import parsed_settings, print_json
    from nas.proxies import ask_proxies, networks_of_run, networks_of_space
    from nas.reporting.predictors import print_proxies
    from search_spaces.core.errors import WrongUse

    reporter = TerminalReporter(quiet)
    if (run is None) == (space is None):
        raise WrongUse("name a space (--space) or a run (--run), one of the two")
    if run is not None and (set_ or data):
        raise WrongUse("--run has its own settings and data; leave --set and --data away")
    if run is not None:
        asked = networks_of_run(RUNS, run, samples, pictures, seed, reporter)
    else:
        asked = networks_of_space(space or "", parsed_settings(set_ or []), data, samples, pictures, seed, reporter)
    document = ask_proxies(asked, names, reporter)
    if json:
        print_json(document)
    else:
        print_proxies(stdout(), document)
