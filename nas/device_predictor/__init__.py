"""What networks take on a device, from what was measured there: a folder of text.

    predictor.json     how it is predicted, target, space, and how well each row is predicted from the others
    rows.csv           networks that were measured
    operators.csv      a lookup table: operators that were measured

A model learns within seconds, and from the same rows always the same. So it is learnt anew where it is needed, and
nothing that could execute code is kept.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.device_predictor.learnt import LearntPredictor
from nas.device_predictor.predictor import OPERATORS, ROWS, DeviceForecast, DevicePredictor
from nas.device_predictor.scores import Scores
from nas.device_predictor.summed import LOOKUP_TABLE, SummedPredictor, lacking_operators
from nas.storage.any_rows import read_any
from nas.storage.files import os_errors_explained
from nas.storage.learnt_folder import FACTS, Facts, check_files, hash_of, read_facts, write_facts
from nas.storage.measured_rows import MeasuredRows
from nas.storage.operator_times import OperatorTimes
from nas.storage.sheet import FIGURES
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.core.errors import FitnasError, WrongUse

__all__ = [
    "LOOKUP_TABLE",
    "OPERATORS",
    "DeviceForecast",
    "DevicePredictor",
    "LearntPredictor",
    "Scores",
    "SummedPredictor",
    "kept_predictors",
    "lacking_operators",
    "load_predictor",
    "load_predictors",
    "save_predictor",
    "save_predictors",
]


class _Facts(Facts):
    """What stands in predictor.json."""

    space: str | None = None
    target: dict[str, Any]
    rows_sha256: str | None = None
    operators_sha256: str | None = None


def save_predictor(predictor: DevicePredictor, folder: Path) -> Scores | None:
    """Writes the folder, the facts last, and gives what stands in them: the cross-validated scores."""
    scores = predictor.cross_validated()
    with os_errors_explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    facts = _Facts(
        format=1,
        metric=METRIC_OF_COLUMN[predictor.column].key,
        model=predictor.model_name,
        space=predictor.space_name,
        target=asdict(predictor.target),
        cross_validated=asdict(scores) if scores else None,
        **{key: hash_of(path) for key, path in predictor.write(folder).items()},
    )
    write_facts(folder, facts)
    return scores


def load_predictor(folder: Path) -> DevicePredictor:
    """From a folder that `save_predictor` wrote; `NotFound` where there is none, `FitnasError` where it is damaged."""
    facts = read_facts(folder, _Facts, [METRIC_OF_COLUMN[column].key for column in FIGURES])
    check_files(folder, {ROWS: facts.rows_sha256, OPERATORS: facts.operators_sha256})
    if facts.operators_sha256:
        rows = MeasuredRows.read(folder / ROWS) if facts.rows_sha256 else None
        return SummedPredictor(OperatorTimes.read(folder / OPERATORS), rows)
    found = read_any(folder / ROWS) if facts.rows_sha256 else None
    if found is None or isinstance(found, OperatorTimes):
        raise FitnasError(f"{folder / FACTS} is damaged: it names no rows of networks; fit the predictor again")
    return LearntPredictor(found, facts.model)


def load_predictors(folders: Sequence[Path]) -> tuple[DevicePredictor, ...]:
    """Of several folders; `WrongUse` where two predict the same."""
    found = tuple(map(load_predictor, folders))
    first: dict[str, Path] = {}
    for folder, predictor in zip(folders, found, strict=True):
        key = METRIC_OF_COLUMN[predictor.column].key
        if key in first:
            raise WrongUse(
                f"--predictor {first[key]} and {folder} both predict {key}; a search holds one {key}: leave one away"
            )
        first[key] = folder
    return found


def save_predictors(predictors: Sequence[DevicePredictor], folder: Path) -> None:
    """A folder in the folder for each, named after what it predicts."""
    for predictor in predictors:
        save_predictor(predictor, folder / METRIC_OF_COLUMN[predictor.column].key)


def kept_predictors(folder: Path) -> list[Path]:
    """The folders that `save_predictors` wrote, else this one: a predictor itself, as in earlier runs, or lost."""
    return sorted(found.parent for found in folder.glob(f"*/{FACTS}")) or [folder]
