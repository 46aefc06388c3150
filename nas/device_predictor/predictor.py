"""What every predictor of a device does: forecasts for a space, scores on rows that it has not seen."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core.measured import Target
from nas.device_predictor.scores import Scores, scores_of
from nas.pricing import PROMISED, Columns
from nas.storage.any_rows import NetworkRows
from nas.storage.counted_rows import CountedRows
from nas.storage.measured_rows import MeasuredRows
from predictors.hardware.latency import COVERAGE, LatencyPrediction
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

Floats = NDArray[np.float64]

ROWS, OPERATORS = "rows.csv", "operators.csv"  # what a folder is made of
_CHUNK = 2000  # networks decoded at once


class DevicePredictor(ABC):
    """What networks take on one target: `column` says what, and its unit (`latency_ms` or `energy_mj`).

    `model_name` says how it is predicted; `space_name` of which space's networks, None: of any.
    """

    @property
    @abstractmethod
    def target(self) -> Target:
        """Whose figure it is."""

    @property
    @abstractmethod
    def column(self) -> str:
        """What is predicted, and its unit."""

    @property
    @abstractmethod
    def model_name(self) -> str:
        """How it is predicted."""

    @property
    @abstractmethod
    def space_name(self) -> str | None:
        """The space whose networks it is of; None: those of any."""

    @property
    @abstractmethod
    def source(self) -> str:
        """For people, what it is from: '30 networks'."""

    @property
    @abstractmethod
    def has_interval(self) -> bool:
        """Whether enough networks were measured to say how far off a prediction may be."""

    @abstractmethod
    def predict(self, table: LayerTable) -> LatencyPrediction:
        """Of the networks of a table `(n,)`; infinite where nothing is known of one."""

    @abstractmethod
    def predict_rows(self, rows: NetworkRows) -> LatencyPrediction:
        """Of rows `(n,)`, in their order; `WrongUse` where nothing is known of one."""

    @abstractmethod
    def cross_validated(self) -> Scores | None:
        """Of each network learnt from, predicted from the others; None where there is none."""

    @abstractmethod
    def write(self, folder: Path) -> Mapping[str, Path]:
        """Writes the files that it is made of, and gives them by their key in the folder's facts."""

    @property
    def whose(self) -> str:
        """For people: 'predicted: device my-board, tflm int8, batch 1, 1 thread, from 30 networks'."""
        return f"predicted: {self.target}, from {self.source}"

    @property
    def promise(self) -> str:
        """For people: what of a prediction a limit is held to."""
        if self.has_interval:
            return f"held to the upper end of a {100 * COVERAGE:.0f} % interval"
        return "held to the prediction itself, for no interval is known"

    def evaluate(self, others: NetworkRows) -> Scores:
        """Of rows that were measured on the same target; `WrongUse` where they were not, or are of another space."""
        if others.column != self.column:
            raise WrongUse(f"the rows are of {others.column}, the predictor of {self.column}")
        if others.target != self.target:
            raise WrongUse(f"the rows are of {others.target}, the predictor of {self.target}; compare like with like")
        measured, space = figures_of(others), space_of(others)
        if self.space_name not in (None, space):
            theirs = f"of the space '{space}'" if space else "counts of operators, of no space"
            raise WrongUse(f"the rows are {theirs}, the predictor of '{self.space_name}'")
        found = self.predict_rows(others)
        outside = (measured < found.low) | (measured > found.high)
        covered = 1 - float(np.mean(outside)) if self.has_interval else None
        ends, unlike = (found.low, found.high), int(found.extrapolated.sum())
        return scores_of(others.ids, measured, found.mean, ends, covered, outside, unlike)

    def forecast(self, space: SearchSpace[Any]) -> "DeviceForecast":
        """For a space's pricer; `WrongUse` for another space than the rows are of."""
        if self.space_name not in (None, space.name):
            raise WrongUse(
                f"the predictor was learnt from networks of '{self.space_name}', not of '{space.name}'; profile the "
                f"space: nas profile --space {space.name} --out rows.csv"
            )
        return DeviceForecast(self)

    def notes(self, space: SearchSpace[Any]) -> list[str]:
        """What to tell before a search of a space; `WrongUse` where nothing is known of its networks."""
        return []


@dataclass(frozen=True)
class DeviceForecast:
    """A predictor as `nas.pricing.Forecast`."""

    predictor: DevicePredictor

    @property
    def whose(self) -> Mapping[str, str]:
        """By column, for people."""
        return {self.predictor.column: f"{self.predictor.whose}, {self.predictor.promise}"}

    def __call__(self, population: Population, priced: Columns | None = None) -> Columns:
        """The figure, the ends of its interval where one is known, and 1 where a network is unlike those learnt from;
        each `(n,)`.
        """
        column, parts = self.predictor.column, [self.predictor.predict(table) for table in tables_of(population)]
        found = {
            column: np.concatenate([part.mean for part in parts]),
            f"{column}_extrapolated": np.concatenate([part.extrapolated for part in parts]).astype(np.int64),
        }
        if self.predictor.has_interval:
            found[f"{column}_low"] = np.concatenate([part.low for part in parts])
            found[column + PROMISED] = np.concatenate([part.high for part in parts])
        return found


def tables_of(population: Population) -> Iterator[LayerTable]:
    """The operators of a population, part by part; one empty table of no networks."""
    for start in range(0, max(len(population), 1), _CHUNK):
        yield population.space.decode(population[start : start + _CHUNK])


def network_tables(rows: MeasuredRows) -> Iterator[tuple[str, LayerTable]]:
    """Of each row, whose settings may differ: how an error calls it, and its operators."""
    spaces: dict[tuple[str, str], SearchSpace[Any]] = {}
    for row, architecture in enumerate(rows.architectures, start=2):
        where, settings = f"row {row}, column architecture", repr(sorted(architecture.settings.items()))
        key = (architecture.space, settings)
        try:
            if key not in spaces:
                spaces[key] = space_class(architecture.space).restored(architecture.settings)
            table = spaces[key].decode(spaces[key].population([architecture]))
        except WrongUse as error:
            raise WrongUse(f"{where}: {error}") from None
        yield where, table


def space_of(rows: NetworkRows) -> str | None:
    """The one space of the networks, None where they are of none; `WrongUse` of several."""
    if isinstance(rows, CountedRows):
        return None
    first = rows.architectures[0].space
    for row, architecture in enumerate(rows.architectures, start=2):
        if architecture.space != first:
            raise WrongUse(
                f"row {row}: a network of the space '{architecture.space}', while row 2 has one of '{first}'; a "
                "predictor is of one space"
            )
    return first


def figures_of(rows: NetworkRows) -> Floats:
    """What was measured `(n,)`; `WrongUse` where a row has no figure."""
    unmeasured = [row for row, value in enumerate(rows.values, start=2) if value is None]
    if unmeasured:
        raise WrongUse(
            f"row {unmeasured[0]}, column {rows.column}: empty ({len(unmeasured)} such rows in all); measure these "
            "networks, or leave the rows out"
        )
    return np.array(rows.values, dtype=np.float64)
