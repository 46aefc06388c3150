"""`nas predict`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import Json


def predict(
    source: Annotated[
        str, typer.Argument(metavar="RUN|DIR", help="A run, or a folder that nas export wrote.", show_default=False)
    ],
    pictures: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Picture or WAV files, or rows of an array: X.npz:KEY:ROW.", show_default=False
        ),
    ],
    pick: Annotated[
        str | None,
        typer.Option(
            "--pick", help="Which network of the run; default: the one trained last, else the knee.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Tell the class of pictures or sounds."""
    from nas.assembly import RUNS
    from nas.cli.console import stdout
    from nas.cli.search_session import print_json
    from nas.prediction import classifier_of_folder, classifier_of_run
    from nas.run import StoredRun
    from nas.storage.run_directory import RunDirectory

    folder = Path(source)
    is_export = "\0" not in source and (folder / "architecture.json").is_file()
    if is_export:
        classifier = classifier_of_folder(folder)
    else:
        classifier = classifier_of_run(StoredRun(RunDirectory.open(RUNS, source)), pick)
    predictions = classifier.predict(pictures)
    if json:
        print_json([{"picture": p.picture, "class": p.label, "probabilities": p.probabilities} for p in predictions])
        return
    console = stdout()
    for prediction in predictions:
        ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:3]
        others = ", ".join(f"{name} {100 * share:.1f} %" for name, share in ranked[1:])
        console.print(f"{prediction.picture}: {prediction.label} {100 * ranked[0][1]:.1f} %  ({others})", markup=False)
