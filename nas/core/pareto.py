"""Pareto fronts: who is not dominated, how much of the reference box the front takes, its knee and its best."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from nas.core.budget import Budget
from nas.core.objective import Objective, oriented_table
from nas.core.trial import Trial
from search_spaces.core.errors import FitnasError, NotFound

_BEYOND = 2.0  # a normalised coordinate outside the box
_KNEE_DECIMALS = 12  # distances that differ by rounding alone are ties


def non_dominated(values: ArrayLike) -> NDArray[np.bool_]:
    """Which rows of `values` `(n, k)`, all to be minimised, no other row dominates; bool `(n,)`.

    Of equal rows the first is kept. A row with a NaN or an infinity is never kept and dominates nothing.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"expected values of shape (n, objectives), got {table.shape}")
    mask = np.asarray(np.isfinite(table).all(axis=1), dtype=np.bool_)
    if mask.any() and table.shape[1]:
        mask[mask] = moocore.is_nondominated(table[mask], keep_weakly=False)
    return mask


@dataclass(frozen=True)
class Reference:
    """The box that a hypervolume is a share of, in raw values an objective; frozen when a run starts.

    `ideal` is as good as the space can be, `worst` the budget, the space's worst or chance accuracy. Where the two are
    equal the objective cannot differ and takes no part. Errors: `ValueError` for lengths that differ or values that
    are not finite.
    """

    ideal: tuple[float, ...]
    worst: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "ideal", tuple(float(value) for value in self.ideal))
        object.__setattr__(self, "worst", tuple(float(value) for value in self.worst))
        if len(self.ideal) != len(self.worst) or not np.isfinite([*self.ideal, *self.worst]).all():
            raise ValueError(f"expected as many finite ideal as worst values, got {self.ideal} and {self.worst}")

    def to_dict(self) -> dict[str, list[float]]:
        """Plain JSON values."""
        return {"ideal": list(self.ideal), "worst": list(self.worst)}

    def to_json(self) -> str:
        """One line of JSON; `from_json` gives an equal reference, to the last bit."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "Reference":
        """Reads what `to_json` wrote; `FitnasError` where it is something else."""
        try:
            document = json.loads(text)
            return cls(tuple(document["ideal"]), tuple(document["worst"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FitnasError(f"the stored reference is damaged ({error!r}); restore the run from a copy") from None


class ParetoFront:
    """The non-dominated trials of a run.

    Of `trials`, those count that are complete, have a finite value for every objective and are within `budget` (a trial
    without a limited metric is not). Of trials with equal objective values the one of the lowest number stays.
    `trials` are sorted by the first objective, best first, ties by the next ones. An empty front is allowed: its
    hypervolume is 0, and `best` and `knee` raise `NotFound`. Errors: `ValueError` for no objective or a reference that
    does not match the objectives.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        objectives: Sequence[Objective],
        reference: Reference | None = None,
        budget: Budget | None = None,
    ) -> None:
        if not objectives:
            raise ValueError("a front needs at least one objective")
        self.objectives = tuple(objectives)
        self.reference = reference
        if reference is not None:
            _check_box(reference, self.objectives)
        eligible = _eligible(trials, budget or Budget())
        table = oriented_table(_values(eligible, self.objectives), self.objectives)
        kept = np.flatnonzero(non_dominated(table))
        order = kept[np.lexsort(table[kept].T[::-1])]
        self.trials: tuple[Trial, ...] = tuple(eligible[row] for row in order)
        self._oriented = table[order]

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    @property
    def values(self) -> NDArray[np.float64]:
        """Raw objective values `(trials, objectives)`, in each metric's unit."""
        return _values(self.trials, self.objectives)

    @cached_property
    def hypervolume(self) -> float:
        """Share of the reference box that the front dominates, 0 to 1.

        Each objective is scaled so that the ideal is 0 and the worst 1; points beyond the worst contribute nothing,
        what is better than the ideal counts as the ideal. Exact (moocore). `ValueError` without a reference.
        """
        if self.reference is None:
            raise ValueError("the hypervolume needs a reference box")
        return volume(in_box(self.values, self.reference, self.objectives))

    def best(self) -> Trial:
        """The best by the first objective; ties by the next ones, then by the lowest number."""
        self._require_members()
        return self.trials[0]

    def knee(self) -> Trial:
        """The best compromise: the member farthest from the plane through the extremes, towards the ideal.

        Objectives are scaled to the front's own range, so that units do not matter. With two of them this is the
        distance from the line between the two ends (Das, Structural Optimization 18, 1999); with more, from the plane
        sum(x) = 1 through the unit points of the axes (as the extremes of NSGA-III: Deb and Jain, 2014), since the
        real extremes need not span a plane. An objective in which all members are equal takes no part. Ties, which
        include the only member, the two members of a front of two and a front along a straight line, go to the better
        first objective.
        """
        self._require_members()
        return self.trials[knee_of(self._oriented)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: objectives, reference, hypervolume (null without a reference), best, knee, trials."""
        return {
            "objectives": [
                {"metric": o.key, "column": o.column, "unit": o.metric.unit, "better": o.metric.better}
                for o in self.objectives
            ],
            "reference": None if self.reference is None else self.reference.to_dict(),
            "hypervolume": None if self.reference is None else self.hypervolume,
            "best": self.best().number if self.trials else None,
            "knee": self.knee().number if self.trials else None,
            "trials": [{"id": trial.architecture.id, **trial.to_dict()} for trial in self.trials],
        }

    def _require_members(self) -> None:
        if not self.trials:
            raise NotFound("the front is empty: no trial is complete and within the budget; type: nas resume RUN")


def knee_of(points: NDArray[np.float64]) -> int:
    """The row of `points` `(n, objectives)`, less is better, best first, that `ParetoFront.knee` describes; n >= 1."""
    lowest = points.min(axis=0)
    extent = points.max(axis=0) - lowest
    scaled = (points - lowest) / np.where(extent > 0, extent, 1.0)
    return int(np.argmin(scaled.sum(axis=1).round(_KNEE_DECIMALS)))


def _check_box(reference: Reference, objectives: Sequence[Objective]) -> None:
    if len(reference.ideal) != len(objectives):
        raise ValueError(f"the reference has {len(reference.ideal)} values for {len(objectives)} objectives")
    ideal, worst = oriented_table([reference.ideal, reference.worst], objectives)
    for objective, better, worse in zip(objectives, ideal, worst, strict=True):
        if better > worse:
            raise ValueError(f"the ideal of '{objective.key}' is worse than its worst: {reference}")


def _eligible(trials: Iterable[Trial], budget: Budget) -> list[Trial]:
    """Complete trials within the budget, by number."""
    complete = sorted((t for t in trials if t.state == "complete"), key=lambda trial: trial.number)
    if not complete or not budget:
        return complete
    columns = {column: [t.metrics.get(column, np.nan) for t in complete] for column in budget.limits}
    return [trial for trial, admitted in zip(complete, budget.admits(columns), strict=True) if admitted]


def _values(trials: Sequence[Trial], objectives: Sequence[Objective]) -> NDArray[np.float64]:
    rows = [[trial.metrics.get(objective.column, np.nan) for objective in objectives] for trial in trials]
    return np.asarray(rows, dtype=np.float64).reshape(len(trials), len(objectives))


def in_box(values: NDArray[np.float64], reference: Reference, objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Raw values `(n, objectives)` scaled to the box: 0 at the ideal or better, 1 at the worst, more beyond it."""
    table = oriented_table(values, objectives)
    ideal, worst = oriented_table([reference.ideal, reference.worst], objectives)
    extent = worst - ideal
    flat = extent == 0
    scaled = (table - ideal) / np.where(flat, 1.0, extent)
    # A flat objective has no room to differ: full share at the ideal or better, none beyond it.
    scaled[:, flat] = np.where(table[:, flat] <= worst[flat], 0.0, _BEYOND)
    clipped: NDArray[np.float64] = np.clip(scaled, 0.0, _BEYOND)
    return clipped


def volume(points: NDArray[np.float64]) -> float:
    """The share of the unit box that `points` `(n, objectives)` of `in_box` dominate; those beyond it add nothing."""
    inside = points[(points <= 1.0).all(axis=1)]
    if not len(inside):
        return 0.0
    return float(moocore.hypervolume(inside, ref=np.ones(inside.shape[1])))
