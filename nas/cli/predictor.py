"""`nas predictor`: latency on a device learnt from rows, and what untrained networks tell."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Force, Json, Quiet

predictor = typer.Typer(
    name="predictor",
    help="Predict latency on your own device from networks that were measured there; ask zero-cost proxies.",
    no_args_is_help=True,
)

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="What nas predictor fit wrote.", show_default=False)]
_Rows = Annotated[Path, typer.Argument(metavar="ROWS.csv", help="Rows as nas profile writes them.", show_default=False)]


@predictor.command("fit")
def fit(
    rows: _Rows,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
    device: Annotated[
        str | None,
        typer.Option("--device", help="Name of the device, instead of that in the rows.", show_default=False),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", help="latency or energy; default: whose column the rows have.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Default: a robust sum over operators, and trees on top where they help."),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Learn from measured rows, and tell how well each network is predicted from the others."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.predicting import fit_predictor
    from nas.reporting.predictors import predictor_document, print_scores_of
    from predictors.core.metric import METRIC_OF_COLUMN

    made, scores = fit_predictor(rows, out, metric, device, model, force)
    if json:
        print_json(predictor_document(made, scores, str(out)))
        return
    console = stdout()
    console.print(f"{out}/: model {made.model_name}, {made.whose}", markup=False)
    print_scores_of(console, scores, "each predicted from the others")
    limit = METRIC_OF_COLUMN[made.column].key
    console.print(f"next: nas search --space {made.space_name} --predictor {out} --budget {limit}=...", markup=False)


@predictor.command("evaluate")
def evaluate(folder: _Folder, rows: _Rows, json: Json = False) -> None:
    """Tell how well a predictor knows networks that it has not learnt from."""
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.device_predictor import DevicePredictor
    from nas.reporting.predictors import predictor_document, print_scores_of
    from nas.storage.measured_rows import MeasuredRows

    known = DevicePredictor.load(folder)
    scores = known.evaluate(MeasuredRows.read(rows))
    if json:
        print_json(predictor_document(known, scores, str(folder)))
    else:
        print_scores_of(stdout(), scores, f"{rows}, {known.whose}")


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
