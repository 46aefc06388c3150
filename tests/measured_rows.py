"""Rows of a board that does not exist: a time for every multiply-accumulate and every operator, and some noise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.measured import Measured, Target
from nas.pricing import Pricer
from nas.storage.counted_rows import CountedRows
from nas.storage.measured_rows import MeasuredRows
from predictors.hardware.latency.operator_classes import COLUMNS, operator_classes
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

BOARD = Target("my-board", "tflm", "int8")
NANOSECONDS_A_MAC, MILLISECONDS_AN_OPERATOR = 20.0, 0.05


def milliseconds(population: Population) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What the board takes, `(n,)`."""
    macs = Pricer(population.space, population.space.default_runtime, schedule="none")(population)["macs"]
    operators = population.space.decode(population).present.sum(axis=1)
    return np.asarray(1e-6 * NANOSECONDS_A_MAC * macs + MILLISECONDS_AN_OPERATOR * operators, dtype=np.float64)


def measured_rows(
    space: SearchSpace[Any], count: int, seed: int = 0, target: Target = BOARD, noise: float = 0.01
) -> MeasuredRows:
    """Random networks of a space, each once, as the board would have measured them."""
    rng = np.random.default_rng(seed)
    drawn = space.population(space.extremes()).concatenate(space.sample(rng, 3 * count))
    first = np.sort(np.unique(drawn.matrix, axis=0, return_index=True)[1])[:count]
    population = drawn[first]
    found = milliseconds(population) * np.exp(noise * rng.standard_normal(len(population)))
    return MeasuredRows(target, tuple(population), tuple(Measured(float(one)) for one in found))


def write_rows(path: Path, space: SearchSpace[Any], count: int, seed: int = 0, target: Target = BOARD) -> Path:
    """The same as a file."""
    measured_rows(space, count, seed, target).write(path)
    return path


def energy_of(rows: MeasuredRows) -> MeasuredRows:
    """Three millijoules a millisecond."""
    figures = tuple(replace(each, value=3 * each.value) for each in rows.figures if each)
    return replace(rows, figures=figures, column="energy_mj")


def counted(space: SearchSpace[Any], rows: MeasuredRows, columns: tuple[str, ...] = COLUMNS) -> CountedRows:
    """The same networks by their operators alone."""
    found = operator_classes(space.decode(space.population(rows.architectures)))
    counts = found.values[:, [COLUMNS.index(name) for name in columns]]
    values = tuple(value for value in rows.values if value is not None)
    return CountedRows(rows.target, rows.ids, columns, tuple(map(tuple, counts.tolist())), values, rows.column)
