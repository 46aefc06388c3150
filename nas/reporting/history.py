"""How the hypervolume grew: the volume after each evaluation that changed the front."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.core.budget import Budget
from nas.core.objective import Objective, oriented_table
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial

_MOST_VOLUMES = 400  # of a front of hundreds in five dimensions each volume takes a moment


@dataclass(frozen=True)
class History:
    """Steps of a staircase, from zero evaluations to all of them; equal lengths.

    `seconds` is the time that evaluations took, summed: more than the wall time where several ran at once.
    """

    evaluations: NDArray[np.int64]
    seconds: NDArray[np.float64]
    volumes: NDArray[np.float64]


def hypervolume_history(
    trials: Sequence[Trial], objectives: Sequence[Objective], reference: Reference, budget: Budget
) -> History:
    """The history of `trials` in the order given; of very many changes 400 are computed, evenly spread."""
    growing = GrowingFront(objectives, reference, budget)
    growing.add(trials)
    return growing.history()


class GrowingFront:
    """The front of trials that are added in steps, and the history of its hypervolume.

    A trial that is dominated now is dominated for good, so that the front of the front and the newcomers is the front.
    """

    def __init__(self, objectives: Sequence[Objective], reference: Reference, budget: Budget) -> None:
        self._objectives, self._reference, self._budget = tuple(objectives), reference, budget
        self.front = ParetoFront((), objectives, reference, budget)
        self._kept = np.empty((0, len(self._objectives)))
        self._changes: list[_Change] = []
        self.evaluations, self.seconds = 0, 0.0

    def add(self, trials: Iterable[Trial]) -> bool:
        """Takes further trials; whether the front has changed."""
        listed = list(trials)
        columns = [objective.column for objective in self._objectives]
        points = oriented_table(
            [[trial.metrics.get(column, np.nan) for column in columns] for trial in listed], self._objectives
        )
        usable: list[bool] = np.isfinite(points).min(axis=1, initial=True).tolist()
        before = len(self._changes)
        for trial, point, known in zip(listed, points, usable, strict=True):
            self.evaluations += 1
            self.seconds += trial.seconds
            if known and trial.state == "complete" and not bool((self._kept <= point).all(axis=1).any()):
                self._try(trial)
        return len(self._changes) > before

    def _try(self, trial: Trial) -> None:
        front = ParetoFront([*self.front, trial], self._objectives, self._reference, self._budget)
        if trial not in front.trials:
            return  # over budget
        self.front = front
        self._kept = oriented_table(front.values, self._objectives)
        self._changes.append(_Change(self.evaluations, self.seconds, front))

    def history(self, most: int = _MOST_VOLUMES) -> History:
        """Its staircase; of more than `most` changes so many, evenly spread, the newest among them."""
        changes = self._changes
        if len(changes) > most:
            changes = [changes[i] for i in np.unique(np.linspace(0, len(changes) - 1, most).astype(int))]
        steps = [(0, 0.0, 0.0), *((each.evaluations, each.seconds, each.volume) for each in changes)]
        if steps[-1][0] < self.evaluations:
            steps.append((self.evaluations, self.seconds, steps[-1][2]))
        evaluations, seconds, volumes = zip(*steps, strict=True)
        return History(np.asarray(evaluations, dtype=np.int64), np.asarray(seconds), np.asarray(volumes))


@dataclass
class _Change:
    """The front after so many evaluations; dropped once its volume is known."""

    evaluations: int
    seconds: float
    front: ParetoFront | None
    _volume: float = 0.0

    @property
    def volume(self) -> float:
        """Computed when first asked for."""
        if self.front is not None:
            self._volume, self.front = self.front.hypervolume, None
        return self._volume
