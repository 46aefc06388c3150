"""How the hypervolume grew: the volume after each evaluation that changed the front."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.core.budget import Budget
from nas.core.growing_front import GrowingFront, may_join
from nas.core.objective import Objective
from nas.core.pareto import Reference
from nas.core.trial import Trial


@dataclass(frozen=True)
class History:
    """Steps of a staircase, from zero evaluations to all of them; equal lengths.

    `seconds` is the time that evaluations took, summed: more than the wall time where several ran at once.
    """

    evaluations: NDArray[np.int64]
    seconds: NDArray[np.float64]
    volumes: NDArray[np.float64]

    @classmethod
    def of(cls, front: GrowingFront, numbers: NDArray[np.int64], seconds: NDArray[np.float64]) -> "History":
        """The history of a front, for the numbers `(n,)` of all trials, ascending, and what each took."""
        elapsed = np.concatenate([[0.0], np.cumsum(seconds)])
        steps = front.steps()
        counts = [0, *(np.searchsorted(numbers, [number for number, _ in steps]) + 1).tolist()]
        volumes = [0.0, *(found for _, found in steps)]
        if counts[-1] < len(numbers):
            counts.append(len(numbers))
            volumes.append(volumes[-1])
        rows = np.asarray(counts, dtype=np.int64)
        return cls(rows, elapsed[rows], np.asarray(volumes))


def hypervolume_history(
    trials: Sequence[Trial], objectives: Sequence[Objective], reference: Reference, budget: Budget
) -> History:
    """The history of `trials`, by number; of very many changes about 400 are computed, evenly spread."""
    front = GrowingFront(objectives, reference)
    numbers = np.asarray([trial.number for trial in trials], dtype=np.int64)
    complete = np.asarray([trial.state == "complete" for trial in trials], dtype=bool)

    def column(name: str) -> NDArray[np.float64]:
        return np.asarray([trial.metrics.get(name, np.nan) for trial in trials], dtype=np.float64)

    values, _, joining = may_join(column, complete, objectives, budget)
    front.add(numbers[joining], values[joining])
    return History.of(front, numbers, np.asarray([trial.seconds for trial in trials]))
