"""`nas predictor`: from a file of figures to a folder that a search takes, its scores, and the operators of a space."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from nas.anchors import resolved_options
from nas.assembly import RUNS, make_space
from nas.core.measured import Target
from nas.device_predictor import (
    LOOKUP_TABLE,
    OPERATORS,
    DevicePredictor,
    LearntPredictor,
    Scores,
    SummedPredictor,
    lacking_operators,
    load_predictor,
    save_predictor,
)
from nas.storage.any_rows import NetworkRows, read_any
from nas.storage.files import check_free, check_free_folder
from nas.storage.measured_rows import MeasuredRows
from nas.storage.operator_times import OperatorTimes, write_empty
from nas.storage.sheet import FIGURES
from predictors.core.metric import METRIC_OF_COLUMN
from predictors.hardware.latency import DEFAULT
from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.registry import space_class

_METRICS = {METRIC_OF_COLUMN[column].key: column for column in FIGURES}


def fit_predictor(
    figures: Path,
    out: Path,
    metric: str | None = None,
    model: str | None = None,
    force: bool = False,
    calibrate: Path | None = None,
    **target: str | int | None,
) -> tuple[DevicePredictor, Scores | None]:
    """Learns or sums up, and writes; gives the predictor and how well each network is predicted from the others.

    `target`: `device`, `runtime`, `precision`, `threads`, `batch` where the file says nothing, or something else.
    `calibrate`: measured networks for a lookup table. `WrongUse`, with row and column, for figures that cannot be
    learnt from; nothing is written then.
    """
    if metric is not None and metric not in _METRICS:
        raise WrongUse(unknown("metric of measured rows", metric, _METRICS))
    check_free_folder(out, force)
    told = {name: str(value) for name, value in target.items() if value is not None}
    known = read_any(figures, told)
    if metric is not None and _METRICS[metric] != known.column:
        raise WrongUse(
            f"{figures}, row 1: --metric {metric} wants the column {_METRICS[metric]}, it has {known.column}"
        )
    rows = _to_calibrate(calibrate, known)
    try:
        made = _made(known, model, rows)
        return made, save_predictor(made, out)
    except WrongUse as error:
        raise WrongUse(f"{calibrate or figures}: {error}") from None


def _made(known: NetworkRows | OperatorTimes, model: str | None, rows: MeasuredRows | None) -> DevicePredictor:
    if not isinstance(known, OperatorTimes):
        return LearntPredictor(known, model or DEFAULT)
    if model not in (None, LOOKUP_TABLE):
        raise WrongUse(f"--model {model} learns from networks, and this is a lookup table of operators; leave it away")
    return SummedPredictor(known, rows)


def _to_calibrate(path: Path | None, known: NetworkRows | OperatorTimes) -> MeasuredRows | None:
    """The networks, with the target that they themselves name: it has to be the table's."""
    if path is None:
        return None
    if not isinstance(known, OperatorTimes):
        raise WrongUse("--calibrate is for a lookup table of operators; networks are learnt from as they are")
    found = read_any(path)
    if not isinstance(found, MeasuredRows):
        raise WrongUse(f"{path}, row 1: a lookup table is calibrated with rows that have a column architecture")
    return found


def evaluate_predictor(folder: Path, rows: Path) -> tuple[DevicePredictor, Scores]:
    """A predictor, and how well it knows networks that were measured on its target."""
    known, found = load_predictor(folder), read_any(rows)
    if isinstance(found, OperatorTimes):
        raise WrongUse(f"{rows} is a lookup table of operators; a predictor is evaluated on whole networks")
    try:
        return known, known.evaluate(found)
    except WrongUse as error:
        raise WrongUse(f"{rows}: {error}") from None


def write_operators(
    space: str, settings: Mapping[str, str], data: str | None, out: Path, table: Path | None, force: bool = False
) -> tuple[int, float]:
    """Writes a row for each operator of a space that a lookup table lacks, to be filled in. Gives how many there are,
    and the share of sampled networks that have none.
    """
    check_free(out, force)
    facts = None
    if data is not None:
        from nas.training.data import describe

        facts = describe(data).facts
    options, _ = resolved_options(space_class(space), settings, RUNS)
    lacking, share = lacking_operators(
        make_space(space, options, facts), _times(table) if table else None, thorough=True
    )
    write_empty(out, lacking)
    return len(lacking), share


def _times(path: Path) -> OperatorTimes:
    """Of a lookup table or of a predictor's folder; whose they are does not matter here."""
    file = path / OPERATORS if path.is_dir() else path
    return OperatorTimes.read(file, {name: str(value) for name, value in asdict(Target()).items()})
