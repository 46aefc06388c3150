"""The frozen record of one evaluated architecture."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from search_spaces.core.architecture import Architecture, no_such_number
from search_spaces.core.errors import FitnasError, WrongUse

State = Literal["complete", "failed"]
_DECODER = json.JSONDecoder(parse_constant=no_such_number)


@dataclass(frozen=True)
class Trial:
    """One row of a run, keyed by (run, number).

    `metrics` by column, in the column's unit; `patches` and `split` are the schedule they hold for; `seconds` is what
    the evaluation took; `rejected` counts the candidates that were dropped, over budget or seen before, until this one
    was found; `error` says why a trial failed.

    Metrics are finite: JSON has no NaN, and a NaN compares with nothing, so that it would sit on every front. A NaN or
    an infinity is a `ValueError` here; `Trial.from_results` turns such results into a failed trial.
    """

    number: int
    architecture: Architecture
    state: State
    metrics: Mapping[str, float]
    patches: int = 1
    split: int = 0
    seconds: float = 0.0
    rejected: int = 0
    error: str = ""

    def __post_init__(self) -> None:
        if self.number < 0 or self.rejected < 0:
            raise ValueError(f"number and rejected count from 0, got {self.number} and {self.rejected}")
        if self.state not in ("complete", "failed"):
            raise ValueError(f"a trial is complete or failed, got '{self.state}'")
        metrics = {column: _plain(value) for column, value in self.metrics.items()}
        figures = {**metrics, "seconds": self.seconds}
        if not all(map(math.isfinite, figures.values())):
            raise ValueError(f"trial {self.number}: metrics must be finite, got {figures}; see Trial.from_results")
        for name in ("number", "patches", "split", "rejected"):
            object.__setattr__(self, name, int(getattr(self, name)))
        object.__setattr__(self, "seconds", float(self.seconds))
        object.__setattr__(self, "metrics", MappingProxyType(metrics))

    def __hash__(self) -> int:
        return hash((self.number, self.architecture))

    def __reduce__(self) -> tuple[Any, ...]:
        return Trial, tuple(  # a mapping proxy does not pickle
            dict(self.metrics) if name == "metrics" else getattr(self, name) for name in self.__dataclass_fields__
        )

    @classmethod
    def from_results(
        cls,
        number: int,
        architecture: Architecture,
        metrics: Mapping[str, float],
        *,
        patches: int = 1,
        split: int = 0,
        seconds: float = 0.0,
        rejected: int = 0,
    ) -> "Trial":
        """A complete trial; a failed one that names the figures where some are NaN or infinite, without those."""
        plain = {column: _plain(value) for column, value in metrics.items()}
        bad = {column: value for column, value in plain.items() if not math.isfinite(value)}
        finite = {column: value for column, value in plain.items() if column not in bad}
        error = ", ".join(f"{column} is {value}" for column, value in bad.items())
        state: State = "failed" if bad else "complete"
        return cls(number, architecture, state, finite, patches, split, seconds, rejected, error)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the architecture as an object."""
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return document | {"metrics": dict(self.metrics), "architecture": json.loads(self.architecture.to_json())}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Trial":
        """Reads what `to_dict` wrote; `FitnasError` where it is something else."""
        try:
            fields = {name: document[name] for name in cls.__dataclass_fields__}
            fields["architecture"] = Architecture.from_document(document["architecture"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError, AttributeError, WrongUse) as error:
            raise FitnasError(f"a stored trial is damaged ({error!r}); restore the run from a copy") from None

    def to_json(self) -> str:
        """One line of JSON; `from_json` gives an equal trial, floats to the last bit."""
        return json.dumps(self.to_dict(), separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Trial":
        """Reads what `to_json` wrote; `FitnasError` where it is something else."""
        try:
            document = _DECODER.decode(text)
        except ValueError as error:
            raise FitnasError(f"a stored trial is damaged ({error}); restore the run from a copy") from None
        return cls.from_dict(document)


def _plain(value: Any) -> float:
    """A Python int or float of the same value: NumPy scalars have other reprs and do not serialise."""
    if type(value) in (int, float):
        found: float = value
        return found
    number: Any = value.item() if hasattr(value, "item") else value
    if isinstance(number, bool):
        return int(number)
    if not isinstance(number, int | float):
        raise ValueError(f"a metric is a number, got {value!r}")
    return number
