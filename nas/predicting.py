"""`nas predictor fit`: from a file of rows to a folder that a search takes."""

from dataclasses import replace
from pathlib import Path

from nas.device_predictor import DevicePredictor, Scores
from nas.storage.files import check_free_folder
from nas.storage.measured_rows import FIGURES, MeasuredRows
from predictors.core.metric import METRIC_OF_COLUMN
from predictors.hardware.latency import DEFAULT
from search_spaces.core.errors import WrongUse, unknown

_METRICS = {METRIC_OF_COLUMN[column].key: column for column in FIGURES}


def fit_predictor(
    rows: Path,
    out: Path,
    metric: str | None = None,
    device: str | None = None,
    model: str | None = None,
    force: bool = False,
) -> tuple[DevicePredictor, Scores]:
    """Learns and writes; gives the predictor and how well each row is predicted from the others.

    `device`: the name of what was measured, where the rows call it otherwise. `WrongUse`, with row and column, for rows
    that cannot be learnt from; nothing is written then.
    """
    if metric is not None and metric not in _METRICS:
        raise WrongUse(unknown("metric to predict", metric, [*_METRICS, "accuracy"]))
    check_free_folder(out, force)
    known = MeasuredRows.read(rows)
    if metric is not None and _METRICS[metric] != known.column:
        raise WrongUse(f"{rows}, row 1: --metric {metric} wants the column {_METRICS[metric]}, it has {known.column}")
    if device is not None:
        known = replace(known, target=replace(known.target, device=device))
    try:
        made = DevicePredictor(known, model or DEFAULT)
        return made, made.save(out)
    except WrongUse as error:
        raise WrongUse(f"{rows}: {error}") from None
