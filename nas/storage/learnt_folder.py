"""The folder of a predictor: rows that it learns from, and facts. Text alone, so nothing in it can execute code.

predictor.json     what is predicted, by which model, and how well each row is predicted from others
rows.csv           what was learnt from
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from nas.storage.files import write_atomically
from search_spaces.core.errors import FitnasError, NotFound

FACTS, ROWS = "predictor.json", "rows.csv"


class Facts(BaseModel):
    """What stands in predictor.json of every predictor; of the scores nothing is read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    metric: str
    model: str
    space: str
    rows_sha256: str
    cross_validated: dict[str, Any]


FactsT = TypeVar("FactsT", bound=Facts)


def write_facts(folder: Path, facts: Facts) -> None:
    """Writes predictor.json, last of all files."""
    write_atomically(folder / FACTS, facts.model_dump_json(indent=1) + "\n")


def read_facts(folder: Path, kind: type[FactsT]) -> FactsT:
    """Reads predictor.json; `NotFound` where there is none, `FitnasError` where it is damaged or of other rows."""
    path = _existing(folder)
    try:
        facts = kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise FitnasError(f"{path} is damaged ({error}); fit the predictor again") from None
    if not (folder / ROWS).is_file() or hash_of_rows(folder) != facts.rows_sha256:
        raise FitnasError(f"{folder / ROWS} is not what {FACTS} was written for; fit the predictor again")
    return facts


def predicted_metric(folder: Path) -> str:
    """The key of the metric that a folder's predictor tells; `NotFound` and `FitnasError` as `read_facts`."""
    path = _existing(folder)
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["metric"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FitnasError(f"{path} is damaged ({error!r}); fit the predictor again") from None


def hash_of_rows(folder: Path) -> str:
    """SHA-256 of rows.csv."""
    return hashlib.sha256((folder / ROWS).read_bytes()).hexdigest()


def _existing(folder: Path) -> Path:
    if not (folder / FACTS).is_file():
        raise NotFound(f"{folder} holds no predictor ({FACTS}); nas predictor fit ROWS.csv --out DIR writes one")
    return folder / FACTS
