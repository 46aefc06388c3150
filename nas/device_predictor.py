"""What networks take on a device, learnt from rows that were measured there: a folder of text.

    predictor.json     model, target, space, and how well each row is predicted from the others
    rows.csv           what was learnt from

A model learns within seconds, and from the same rows always the same. So it is learnt anew where it is needed, and
nothing that could execute code is kept.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from nas.core.measured import Target
from nas.pricing import Columns
from nas.storage.files import os_errors_explained, write_atomically
from nas.storage.measured_rows import MeasuredRows
from predictors.core.metric import METRIC_OF_COLUMN
from predictors.core.scores import kendall, mape, rmspe, within
from predictors.hardware.latency import COVERAGE, DEFAULT, LatencyPredictor, latency_predictor
from predictors.hardware.latency.operator_classes import operator_classes
from search_spaces.core.errors import FitnasError, NotFound, WrongUse
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

Floats = NDArray[np.float64]

_FACTS, _ROWS = "predictor.json", "rows.csv"
_CHUNK = 2000  # networks decoded at once


@dataclass(frozen=True)
class Scores:
    """How well networks are predicted: relative errors are fractions of what was measured.

    `interval`: the median width of the interval up and down, as a fraction; `covered`: the share of measurements inside
    of it, None where each network was predicted from the others. `outliers`: ids of those far off. `extrapolated`: how
    many are unlike those learnt from.
    """

    networks: int
    kendall: float
    rmspe: float
    mape: float
    within_5_percent: float
    within_10_percent: float
    interval: float
    covered: float | None
    outliers: Sequence[str]
    extrapolated: int


class _Facts(BaseModel):
    """What stands in predictor.json; of the scores nothing is read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1]
    metric: str
    model: str
    space: str
    target: dict[str, Any]
    rows_sha256: str
    cross_validated: dict[str, Any]


@dataclass(frozen=True)
class DevicePredictor:
    """Rows of networks that were all measured, and the name of the model that learns from them."""

    rows: MeasuredRows
    model_name: str = DEFAULT

    def __post_init__(self) -> None:
        unmeasured = [row for row, latency in enumerate(self.rows.figures, start=2) if latency is None]
        if unmeasured:
            raise WrongUse(
                f"row {unmeasured[0]}, column {self.column}: empty ({len(unmeasured)} such rows in all); measure these "
                "networks, or leave the rows out"
            )
        for row, architecture in enumerate(self.rows.architectures, start=2):
            if architecture.space != self.space_name:
                raise WrongUse(
                    f"row {row}: a network of the space '{architecture.space}', while row 2 has one of "
                    f"'{self.space_name}'; a predictor is of one space"
                )

    @property
    def space_name(self) -> str:
        """The space that the networks are of."""
        return self.rows.architectures[0].space

    @property
    def column(self) -> str:
        """What is predicted, and its unit: `latency_ms` or `energy_mj`."""
        return self.rows.column

    @property
    def target(self) -> Target:
        """Whose figure it is."""
        return self.rows.target

    @property
    def whose(self) -> str:
        """For people: 'predicted: device my-board, tflm int8, batch 1, 1 thread, from 30 networks'."""
        return f"predicted: {self.target}, from {len(self.rows.architectures)} networks"

    @cached_property
    def model(self) -> LatencyPredictor:
        """Learnt from the rows; `WrongUse` where they are too few or all alike."""
        columns, features = self._described
        return latency_predictor(self.model_name).fit(features, self._measured, columns=columns)

    @cached_property
    def _described(self) -> tuple[Sequence[str], Floats]:
        return _features(self.rows)

    @property
    def _measured(self) -> Floats:
        return _values(self.rows)

    def cross_validated(self) -> Scores:
        """Of each row predicted from others."""
        model = self.model
        predicted = self._measured / np.exp(model.left_out_ratios)
        interval = model.predict(self._described[1])
        return self._scores(self.rows, predicted, _width(interval.low, interval.high), None, model.outliers, 0)

    def evaluate(self, others: MeasuredRows) -> Scores:
        """Of rows that were measured on the same target; `WrongUse` where they were not, or are of another space."""
        if others.column != self.column:
            raise WrongUse(f"the rows are of {others.column}, the predictor of {self.column}")
        if others.target != self.target:
            raise WrongUse(f"the rows are of {others.target}, the predictor of {self.target}; compare like with like")
        measured = DevicePredictor(others, self.model_name)._measured
        if others.architectures[0].space != self.space_name:
            raise WrongUse(
                f"the rows are of the space '{others.architectures[0].space}', the predictor of '{self.space_name}'"
            )
        found = self.model.predict(_features(others)[1])
        covered = float(np.mean((found.low <= measured) & (measured <= found.high)))
        outside = (measured < found.low) | (measured > found.high)
        width, unlike = _width(found.low, found.high), int(found.extrapolated.sum())
        return self._scores(others, found.mean, width, covered, outside, unlike)

    def _scores(
        self,
        rows: MeasuredRows,
        predicted: Floats,
        interval: float,
        covered: float | None,
        far: NDArray[np.bool_],
        extrapolated: int,
    ) -> Scores:
        measured = _values(rows)
        return Scores(
            len(measured),
            kendall(measured, predicted),
            rmspe(measured, predicted),
            mape(measured, predicted),
            within(measured, predicted, 0.05),
            within(measured, predicted, 0.10),
            interval,
            covered,
            [rows.architectures[row].id for row in np.flatnonzero(far)],
            extrapolated,
        )

    def save(self, folder: Path) -> Scores:
        """Writes the folder, the facts last, and gives what stands in them: the cross-validated scores."""
        scores = self.cross_validated()
        with os_errors_explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.rows.write(folder / _ROWS)
        facts = _Facts(
            format=1,
            metric=METRIC_OF_COLUMN[self.column].key,
            model=self.model_name,
            space=self.space_name,
            target=asdict(self.target),
            rows_sha256=_hash(folder / _ROWS),
            cross_validated=asdict(scores),
        )
        write_atomically(folder / _FACTS, facts.model_dump_json(indent=1) + "\n")
        return scores

    @classmethod
    def load(cls, folder: Path) -> "DevicePredictor":
        """From a folder that `save` wrote; `NotFound` where there is none, `FitnasError` where it is damaged."""
        if not (folder / _FACTS).is_file():
            raise NotFound(f"{folder} holds no predictor ({_FACTS}); nas predictor fit ROWS.csv --out DIR writes one")
        try:
            facts = _Facts.model_validate_json((folder / _FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError, ValidationError) as error:
            raise FitnasError(f"{folder / _FACTS} is damaged ({error}); fit the predictor again") from None
        if not (folder / _ROWS).is_file() or _hash(folder / _ROWS) != facts.rows_sha256:
            raise FitnasError(f"{folder / _ROWS} is not what {_FACTS} was written for; fit the predictor again")
        return cls(MeasuredRows.read(folder / _ROWS), facts.model)

    def forecast(self, space: SearchSpace[Any]) -> "DeviceForecast":
        """For a space's pricer; `WrongUse` for another space than the rows are of."""
        if space.name != self.space_name:
            raise WrongUse(
                f"the predictor was learnt from networks of '{self.space_name}', not of '{space.name}'; profile the "
                f"space: nas profile --space {space.name} --out rows.csv"
            )
        return DeviceForecast(self)


@dataclass(frozen=True)
class DeviceForecast:
    """A predictor as `nas.pricing.Forecast`."""

    predictor: DevicePredictor

    @property
    def whose(self) -> Mapping[str, str]:
        """By column, for people."""
        promise = f"held to the upper end of a {100 * COVERAGE:.0f} % interval"
        return {self.predictor.column: f"{self.predictor.whose}, {promise}"}

    def __call__(self, population: Population) -> Columns:
        """The figure, the ends of its interval, and 1 where a network is unlike those learnt from; each `(n,)`."""
        column = self.predictor.column
        found = self.predictor.model.predict(_of_population(population)[1])
        return {
            column: found.mean,
            f"{column}_low": found.low,
            f"{column}_high": found.high,
            f"{column}_extrapolated": found.extrapolated.astype(np.int64),
        }


def _features(rows: MeasuredRows) -> tuple[Sequence[str], Floats]:
    """Names and values of the features of networks, whose settings may differ."""
    names: Sequence[str] = ()
    found: list[Floats] = []
    spaces: dict[str, SearchSpace[Any]] = {}
    for row, architecture in enumerate(rows.architectures, start=2):
        settings = json.dumps(architecture.settings, sort_keys=True)
        if settings not in spaces:
            spaces[settings] = space_class(architecture.space).restored(architecture.settings)
        try:
            names, values = _of_population(spaces[settings].population([architecture]))
        except WrongUse as error:
            raise WrongUse(f"row {row}, column architecture: {error}") from None
        found.append(values)
    return names, np.concatenate(found)


def _of_population(population: Population) -> tuple[Sequence[str], Floats]:
    starts = range(0, max(len(population), 1), _CHUNK)
    parts = [operator_classes(population.space.decode(population[start : start + _CHUNK])) for start in starts]
    return parts[0].columns, np.concatenate([part.values for part in parts])


def _values(rows: MeasuredRows) -> Floats:
    return np.array([figure.value for figure in rows.figures if figure is not None])


def _width(low: Floats, high: Floats) -> float:
    return float(np.median(np.sqrt(high / low) - 1))


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
