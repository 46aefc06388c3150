"""The folder of a predictor: rows that it learns from, and facts. Text alone, so nothing in it can execute code.

predictor.json     what is predicted, by which model, and how well each row is predicted from others
*.csv              what was learnt from
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from nas.storage.files import write_atomically
from search_spaces.core.errors import FitnasError, NotFound, WrongUse

FACTS, ROWS = "predictor.json", "rows.csv"


class Facts(BaseModel):
    """What stands in predictor.json of every predictor; of the scores nothing is read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    metric: str
    model: str
    cross_validated: dict[str, Any] | None = None


FactsT = TypeVar("FactsT", bound=Facts)


def write_facts(folder: Path, facts: Facts) -> None:
    """Writes predictor.json, last of all files."""
    write_atomically(folder / FACTS, facts.model_dump_json(indent=1, exclude_none=True) + "\n")


def read_facts(folder: Path, kind: type[FactsT], metrics: Collection[str]) -> FactsT:
    """Reads predictor.json; `NotFound` where there is none, `FitnasError` where it is damaged, `WrongUse` where it
    predicts none of these metrics.
    """
    metric = predicted_metric(folder)
    if metric not in metrics:
        raise WrongUse(f"{folder} predicts {metric}; expected a predictor of {' or '.join(metrics)}")
    try:
        return kind.model_validate_json((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise FitnasError(f"{folder / FACTS} is damaged ({error}); fit the predictor again") from None


def check_files(folder: Path, hashes: Mapping[str, str | None]) -> None:
    """`FitnasError` where a file, by name, is not the one whose hash the facts hold; None: there is none to check."""
    for name, known in hashes.items():
        if known and (not (folder / name).is_file() or hash_of(folder / name) != known):
            raise FitnasError(f"{folder / name} is not what {FACTS} was written for; fit the predictor again")


def predicted_metric(folder: Path) -> str:
    """The key of the metric that a folder's predictor tells; `NotFound` and `FitnasError` as `read_facts`."""
    path = folder / FACTS
    if not path.is_file():
        raise NotFound(f"{folder} holds no predictor ({FACTS}); nas predictor fit ROWS.csv --out DIR writes one")
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["metric"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FitnasError(f"{path} is damaged ({error!r}); fit the predictor again") from None


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
