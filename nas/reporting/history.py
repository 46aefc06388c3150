"""How the hypervolume grew: the volume after each evaluation that changed the front."""

from collections.abc import Sequence
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
    elapsed = np.concatenate([[0.0], np.cumsum([trial.seconds for trial in trials])])
    changes = _changes(trials, objectives, budget)
    if len(changes) > _MOST_VOLUMES:
        changes = [changes[i] for i in np.unique(np.linspace(0, len(changes) - 1, _MOST_VOLUMES).astype(int))]
    counts, volumes = [0], [0.0]
    for count, members in changes:
        counts.append(count)
        volumes.append(ParetoFront(members, objectives, reference, budget).hypervolume)
    if counts[-1] < len(trials):
        counts.append(len(trials))
        volumes.append(volumes[-1])
    rows = np.asarray(counts, dtype=np.int64)
    return History(rows, elapsed[rows], np.asarray(volumes))


def _changes(
    trials: Sequence[Trial], objectives: Sequence[Objective], budget: Budget
) -> list[tuple[int, tuple[Trial, ...]]]:
    """(evaluations, members) after each trial that joined the front.

    A trial that is dominated now is dominated for good, so that the front of the front and the newcomer is the front.
    """
    points = oriented_table([[trial.metrics.get(o.column, np.nan) for o in objectives] for trial in trials], objectives)
    usable = np.isfinite(points).all(axis=1) & np.asarray([trial.state == "complete" for trial in trials], dtype=bool)
    members: tuple[Trial, ...] = ()
    kept = np.empty((0, len(objectives)))
    changes = []
    for row in np.flatnonzero(usable).tolist():
        if bool((kept <= points[row]).all(axis=1).any()):
            continue
        front = ParetoFront([*members, trials[row]], objectives, None, budget)
        if trials[row] not in front.trials:
            continue  # over budget
        members = front.trials
        kept = oriented_table(front.values, objectives)
        changes.append((row + 1, members))
    return changes
