"""What networks take on a device, from what was measured there: a folder of text.

    predictor.json     how it is predicted, target, space, and how well each row is predicted from the others
    rows.csv           networks that were measured
    operators.csv      a lookup table: operators that were measured

A model learns within seconds, and from the same rows always the same. So it is learnt anew where it is needed, and
nothing that could execute code is kept.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from nas.device_predictor.learnt import LearntPredictor
from nas.device_predictor.predictor import OPERATORS, ROWS, DeviceForecast, DevicePredictor
from nas.device_predictor.scores import Scores
from nas.device_predictor.summed import LOOKUP_TABLE, SummedPredictor, lacking_operators
from nas.storage.any_rows import read_any
from nas.storage.files import os_errors_explained, write_atomically
from nas.storage.measured_rows import MeasuredRows
from nas.storage.operator_times import OperatorTimes
from predictors.core.metric import METRIC_OF_COLUMN
from search_spaces.core.errors import FitnasError, NotFound, WrongUse

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

_FACTS = "predictor.json"


class _Facts(BaseModel):
    """What stands in predictor.json; of the scores nothing is read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1]
    metric: str
    model: str
    space: str | None = None
    target: dict[str, Any]
    rows_sha256: str | None = None
    operators_sha256: str | None = None
    cross_validated: dict[str, Any] | None = None


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
        **{key: _hash(path) for key, path in predictor.write(folder).items()},
    )
    write_atomically(folder / _FACTS, facts.model_dump_json(indent=1, exclude_none=True) + "\n")
    return scores


def load_predictor(folder: Path) -> DevicePredictor:
    """From a folder that `save_predictor` wrote; `NotFound` where there is none, `FitnasError` where it is damaged."""
    if not (folder / _FACTS).is_file():
        raise NotFound(f"{folder} holds no predictor ({_FACTS}); nas predictor fit ROWS.csv --out DIR writes one")
    try:
        facts = _Facts.model_validate_json((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise FitnasError(f"{folder / _FACTS} is damaged ({error}); fit the predictor again") from None
    for name, known in ((ROWS, facts.rows_sha256), (OPERATORS, facts.operators_sha256)):
        if known and (not (folder / name).is_file() or _hash(folder / name) != known):
            raise FitnasError(f"{folder / name} is not what {_FACTS} was written for; fit the predictor again")
    if facts.operators_sha256:
        rows = MeasuredRows.read(folder / ROWS) if facts.rows_sha256 else None
        return SummedPredictor(OperatorTimes.read(folder / OPERATORS), rows)
    found = read_any(folder / ROWS) if facts.rows_sha256 else None
    if found is None or isinstance(found, OperatorTimes):
        raise FitnasError(f"{folder / _FACTS} is damaged: it names no rows of networks; fit the predictor again")
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
    return sorted(found.parent for found in folder.glob(f"*/{_FACTS}")) or [folder]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
