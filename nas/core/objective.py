"""A metric to improve."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.core.metric import Metric, metric
from search_spaces.core.errors import WrongUse

# The exact hypervolume of n points in d dimensions takes about n^(d-2) steps: beyond five a front of 100 is a wait.
MOST_OBJECTIVES = 5


@dataclass(frozen=True)
class Objective:
    """One metric to improve, in the metric's own direction."""

    metric: Metric

    @property
    def key(self) -> str:
        """The metric's key in flags, for example 'sram'."""
        return self.metric.key

    @property
    def column(self) -> str:
        """The metric's column in tables, for example 'peak_sram_bytes'."""
        return self.metric.column

    @property
    def minimise(self) -> bool:
        """True where less is better."""
        return self.metric.better == "less"

    def oriented(self, values: ArrayLike) -> NDArray[np.float64]:
        """`values` so that less is better: as they are, or negated. NaN stays NaN."""
        array = np.asarray(values, dtype=np.float64)
        return array if self.minimise else -array


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """'accuracy,macs' as objectives, in that order.

    `WrongUse` where one is unknown or stands twice, none is given, or more than five are.
    """
    keys = [key.strip() for key in text.split(",")]
    if not text.strip() or not all(keys):
        raise WrongUse(f"objectives are metrics with commas between them, for example accuracy,macs; got '{text}'")
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise WrongUse(f"the objective '{repeated[0]}' stands twice in '{text}'; name each metric once")
    if len(keys) > MOST_OBJECTIVES:
        raise WrongUse(f"at most {MOST_OBJECTIVES} objectives, got {len(keys)} ('{text}'); put the others in --budget")
    return tuple(Objective(metric(key)) for key in keys)


def oriented_table(values: ArrayLike, objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Raw objective values `(n, objectives)` so that less is better in every column."""
    table = np.asarray(values, dtype=np.float64).reshape(-1, len(objectives))
    return np.stack([o.oriented(table[:, i]) for i, o in enumerate(objectives)], axis=1)


def keys_of(objectives: Iterable[Objective]) -> str:
    """The text that `parse_objectives` reads.

    >>> keys_of(parse_objectives("accuracy, macs"))
    'accuracy,macs'
    """
    return ",".join(objective.key for objective in objectives)
