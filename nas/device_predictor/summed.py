"""Figures summed up from a lookup table: what every operator takes alone, and some whole networks to calibrate it."""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.measured import Target
from nas.device_predictor.predictor import (
    OPERATORS,
    ROWS,
    DevicePredictor,
    Floats,
    figures_of,
    network_tables,
    space_of,
    tables_of,
)
from nas.device_predictor.scores import Scores, scores_of
from nas.storage.any_rows import NetworkRows
from nas.storage.counted_rows import CountedRows
from nas.storage.measured_rows import MeasuredRows
from nas.storage.operator_times import OperatorTimes
from predictors.core.conformal import is_enough
from predictors.hardware.latency import COVERAGE, LatencyPrediction, far_off
from predictors.hardware.latency.lookup_table import LookupTable
from predictors.hardware.latency.operator_classes import OperatorShape, distinct_shapes, operator_shapes
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

LOOKUP_TABLE = "lookup_table"
_SAMPLE, _MANY = 2000, 10
_LONGEST_LIST = 5


@dataclass(frozen=True)
class SummedPredictor(DevicePredictor):
    """Times of operators, and networks of one space that they are calibrated with; without any no interval is known.

    A network with an operator that the table lacks is not guessed at: nothing is known of it.
    """

    times: OperatorTimes
    rows: MeasuredRows | None = None

    def __post_init__(self) -> None:
        if self.rows is None:
            return
        figures_of(self.rows)
        space_of(self.rows)
        pairs = (self.rows.column, self.times.column), (self.rows.target, self.times.target)
        for theirs, ours in pairs:
            if theirs != ours:
                raise WrongUse(f"the networks to calibrate with are of {theirs}, the table of {ours}")

    @property
    def target(self) -> Target:
        """Whose figure it is."""
        return self.times.target

    @property
    def column(self) -> str:
        """What is predicted, and its unit."""
        return self.times.column

    @property
    def model_name(self) -> str:
        """How it is predicted."""
        return LOOKUP_TABLE

    @property
    def space_name(self) -> str | None:
        """The space of the networks calibrated with; None without any."""
        return space_of(self.rows) if self.rows else None

    @property
    def source(self) -> str:
        """For people."""
        calibrated = f" and {len(self.rows.ids)} networks" if self.rows else ""
        return f"the times of {len(self.times.times)} operators{calibrated}"

    @property
    def has_interval(self) -> bool:
        """Whether the networks calibrated with are enough."""
        return self.rows is not None and is_enough(len(self.rows.ids), COVERAGE)

    @cached_property
    def table(self) -> LookupTable:
        """Calibrated, where there are networks; `WrongUse` with the row that has an operator without a time."""
        if self.rows is None:
            return self.times.table
        columns, counts = self._counts(self.rows)
        return self.times.table.calibrate(counts, columns, figures_of(self.rows))

    def predict(self, table: LayerTable) -> LatencyPrediction:
        """Of the networks of a table; infinite where the lookup table lacks an operator."""
        features = operator_shapes(table)
        known = self.table.knows(features.values, features.columns)
        found = self.table.predict(features.values[known], features.columns)
        mean, low, high = np.full((3, len(table)), np.inf)
        mean[known], low[known], high[known] = found.mean, found.low, found.high
        return LatencyPrediction(mean, low, high, ~known)

    def predict_rows(self, rows: NetworkRows) -> LatencyPrediction:
        """Of rows."""
        columns, counts = self._counts(rows)
        return self.table.predict(counts, columns)

    def _counts(self, rows: NetworkRows) -> tuple[Sequence[str], Floats]:
        """How often each operator occurs in each row; `WrongUse` where the table has no time for one."""
        if isinstance(rows, CountedRows):
            raise WrongUse("counts of operators do not tell the shapes that a lookup table needs; give architectures")
        places: dict[str, int] = {}
        cells: list[tuple[int, int, float]] = []
        for row, (where, table) in enumerate(network_tables(rows)):
            found = operator_shapes(table)
            absent = [name for name in found.columns if name not in self.times.table.milliseconds]
            if absent:
                raise WrongUse(f"{where}: the lookup table has no time for {_some(absent)}; measure them, and add rows")
            for name, count in zip(found.columns, found.values[0].tolist(), strict=True):
                cells.append((row, places.setdefault(name, len(places)), count))
        counts = np.zeros((len(rows.ids), len(places)))
        for row, place, count in cells:
            counts[row, place] = count
        return list(places), counts

    def cross_validated(self) -> Scores | None:
        """Of each network calibrated with, by the factor that the others give; None where there are fewer than two."""
        if self.rows is None or not self.table.ratios:
            return None
        found, measured, ratios = self.predict_rows(self.rows), figures_of(self.rows), np.array(self.table.ratios)
        ends = (found.low, found.high)
        return scores_of(self.rows.ids, measured, measured / np.exp(ratios), ends, None, far_off(ratios), 0)

    def write(self, folder: Path) -> Mapping[str, Path]:
        """The times, and the networks where there are any."""
        self.times.write(folder / OPERATORS)
        files = {"operators_sha256": folder / OPERATORS}
        if self.rows is not None:
            self.rows.write(folder / ROWS)
            files["rows_sha256"] = folder / ROWS
        return files

    def notes(self, space: SearchSpace[Any]) -> list[str]:
        """Which operators of the space the table lacks, and what that leaves; `WrongUse` where that is nothing."""
        lacking, share = lacking_operators(space, self.times)
        if not lacking:
            return []
        told = (
            f"the lookup table of {self.target} has no time for {_some(list(map(str, lacking)))} of the space "
            f"'{space.name}'"
        )
        rows = f"nas predictor operators --space {space.name} --table FOLDER --out rest.csv writes rows to fill in"
        if not share:
            raise WrongUse(f"{told}, and every sampled network has such an operator; {rows}")
        return [f"{told}: networks that have one are left out ({100 * (1 - share):.3g} % of those sampled); {rows}"]


def lacking_operators(
    space: SearchSpace[Any], times: OperatorTimes | None = None, thorough: bool = False
) -> tuple[list[OperatorShape], float]:
    """The operators of sampled networks of a space that a table lacks, those of most networks first, and the share of
    networks that have none of them.

    Without a table all operators, of other samples: a table made of them is not judged by the networks it was made
    from. `thorough`: of ten times as many. Rare operators may be in no sample.
    """
    first = 0 if times else 1
    seeds = range(first, first + (_MANY if thorough else 1))
    ends = space.population(space.extremes())
    near = [space.neighbours(end) for end in ends]
    drawn = [space.sample(np.random.default_rng(seed), _SAMPLE) for seed in seeds]
    population = functools.reduce(Population.concatenate, [*near, *drawn], ends)
    known, networks, complete = set(times.times) if times else set(), Counter[OperatorShape](), 0
    for table in tables_of(population):
        shapes, counts = distinct_shapes(table)
        absent = [place for place, shape in enumerate(shapes) if shape not in known]
        networks.update({shapes[place]: int((counts[:, place] > 0).sum()) for place in absent})
        complete += int((counts[:, absent] == 0).all(axis=1).sum())
    return [shape for shape, _ in networks.most_common()], complete / len(population)


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names[:_LONGEST_LIST])
    return f"{len(names)} operators ({listed}{', ...' if len(names) > _LONGEST_LIST else ''})"
