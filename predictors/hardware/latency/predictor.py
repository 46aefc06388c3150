"""What every predictor of latency does: refuses what cannot be learnt from, adds an interval, flags extrapolation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.core.conformal import cross_conformal, grouped_folds
from search_spaces.core.errors import WrongUse

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COVERAGE = 0.9
FEWEST = 5  # networks to learn from
_FOLDS = 10
_ROUNDING = 1e-9
_OUTLIER_DEVIATIONS, _OUTLIER_LEAST = 4.0, 0.05  # of log(measured / predicted)
_NORMAL = 1.4826  # standard deviation over median absolute deviation, of a normal distribution


@dataclass(frozen=True)
class LatencyPrediction:
    """Each `(m,)`, in the unit learnt from: the mean, an interval, and what to take with care.

    `low` to `high` holds a measurement with the coverage asked for, where networks are drawn as those learnt from (0 to
    infinity where too few were learnt from to say). `extrapolated`: a feature or detail lies outside of what was learnt
    from; there the interval promises nothing.
    """

    mean: Floats
    low: Floats
    high: Floats
    extrapolated: Bools


class LatencyPredictor(ABC):
    """Learns a positive figure of a network, milliseconds or millijoules, for one device, runtime, precision, number of
    threads and batch. Same data, same predictor.

    Features are what a sum may run over: counts of operators, multiply-accumulates, bytes, never negative. Details are
    any numbers that tell networks apart beyond that, such as a one-hot of the architecture; models that sum leave them
    out. A model says `_fit` and `_predict`; both get the columns alone that differ between the networks learnt from.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    outliers: Bools
    """Which networks learnt from `(n,)` lie further than 5 % and 4 robust deviations from what the others predict."""

    _columns: tuple[str, ...] | None = None

    @abstractmethod
    def _fit(self, features: Floats, details: Floats, measured: Floats) -> None:
        """Learns from `(n, f)`, `(n, g)` and `(n,)`, positive. In parts of the data a column may not differ."""

    @abstractmethod
    def _predict(self, features: Floats, details: Floats) -> Floats:
        """The figure `(m,)`, positive."""

    def _fresh(self) -> "LatencyPredictor":
        """A new one to learn from a part of the data, as this one was set up by all of it."""
        return type(self)()

    def fewest(self, features: int) -> int:
        """Networks that are needed to learn from `features` features."""
        return FEWEST

    def fit(
        self,
        features: ArrayLike,
        measured: ArrayLike,
        details: ArrayLike | None = None,
        columns: Sequence[str] | None = None,
    ) -> Self:
        """Learns from features `(n, f)`, figures `(n,)` and details `(n, g)`; `columns` name the features in errors.

        Gives itself. `WrongUse`, with row and column, for a value that is negative or not finite, a figure that is not
        positive, and where there is nothing to learn from; `ValueError` where shapes do not match.
        """
        self._columns = None
        rows = read_features(features, columns)
        finer = _matrix(details, "detail") if details is not None else np.empty((len(rows), 0))
        known = read_figures(measured, len(rows))
        if len(finer) != len(rows):
            raise ValueError(f"expected details of {len(rows)} networks, got {len(finer)}")
        self._bounds = [_bounds(rows), _bounds(finer)]
        self._varying = [_varying(*bounds) for bounds in self._bounds]
        self._refuse_what_teaches_nothing(known)
        inputs = rows[:, self._varying[0]], finer[:, self._varying[1]]
        self._fit(*inputs, known)
        self._cross_validate(*inputs, known)
        self._columns = tuple(columns) if columns is not None else tuple(str(i) for i in range(rows.shape[1]))
        return self

    def predict(
        self, features: ArrayLike, details: ArrayLike | None = None, coverage: float = COVERAGE
    ) -> LatencyPrediction:
        """Of networks `(m, f)`, `(m, g)`; `ValueError` before `fit`, or where columns are not as learnt from."""
        if self._columns is None:
            raise ValueError(f"the predictor '{self.name}' has learnt nothing yet; call fit first")
        rows = read_features(features, self._columns)
        finer = _matrix(details, "detail") if details is not None else np.empty((len(rows), 0))
        for what, given, bounds in zip(("features", "details"), (rows, finer), self._bounds, strict=True):
            if given.shape != (len(rows), len(bounds[0])):
                raise ValueError(
                    f"expected {len(rows)} networks of {len(bounds[0])} {what}, as learnt from, got {given.shape}"
                )
        inputs = rows[:, self._varying[0]], finer[:, self._varying[1]]
        outside = _outside(rows, *self._bounds[0]) | _outside(finer, *self._bounds[1])
        if not len(rows):
            return LatencyPrediction(np.empty(0), np.empty(0), np.empty(0), outside)
        mean = self._predict(*inputs)
        answers = np.log([model._predict(*inputs) for model in self._left_out])
        low, high = cross_conformal(answers, self._folds, np.abs(self._ratios), coverage)
        return LatencyPrediction(mean, np.minimum(np.exp(low), mean), np.maximum(np.exp(high), mean), outside)

    @property
    def left_out_ratios(self) -> Floats:
        """Of each network learnt from `(n,)`: log(measured / predicted), by models that were not shown it."""
        return self._ratios

    def _cross_validate(self, features: Floats, details: Floats, measured: Floats) -> None:
        """Models that were not shown a fold, for intervals and outliers; networks that are alike share a fold."""
        self._folds = grouped_folds(alike(features, details), _FOLDS, seed=0)
        self._left_out: list[LatencyPredictor] = []
        self._ratios = np.empty(len(measured))  # log(measured / predicted)
        for fold in range(self._folds.max() + 1):
            asked = self._folds == fold
            model = self._fresh()
            model._fit(features[~asked], details[~asked], measured[~asked])
            self._ratios[asked] = np.log(measured[asked] / model._predict(features[asked], details[asked]))
            self._left_out.append(model)
        self.outliers = far_off(self._ratios)

    def _refuse_what_teaches_nothing(self, measured: Floats) -> None:
        varying = int(self._varying[0].sum())
        least = max(FEWEST, self.fewest(varying))
        if len(measured) < least:
            raise WrongUse(
                f"the model '{self.name}' learns {varying} features from at least {least} measured networks, got "
                f"{len(measured)}; measure more, or describe them by fewer features"
            )
        if np.ptp(measured) == 0:
            raise WrongUse(
                f"all {len(measured)} networks were measured as {measured[0]:g}, so none can be told from another; "
                "measure others, or with a finer clock"
            )
        if not varying:
            raise WrongUse(
                f"all {len(measured)} measured networks have the same {len(self._varying[0])} features; measure others"
            )


def far_off(ratios: Floats) -> Bools:
    """Which of log(measured / predicted) `(n,)` lie further than 5 % and 4 robust deviations from their median."""
    distances = np.abs(ratios - np.median(ratios))
    far = max(_OUTLIER_DEVIATIONS * _NORMAL * float(np.median(distances)), _OUTLIER_LEAST)
    return np.asarray(distances > far, dtype=bool)


def alike(features: Floats, details: Floats) -> NDArray[np.intp]:
    """The same number `(n,)` for networks of the same features and details."""
    return np.unique(np.hstack([features, details]), axis=0, return_inverse=True)[1].reshape(-1)


def read_features(features: ArrayLike, columns: Sequence[str] | None) -> Floats:
    """`(n, f)`, checked: `WrongUse` with network and column for a value that is negative or not finite."""
    return _matrix(features, "feature", columns)


def _matrix(values: ArrayLike, what: str, columns: Sequence[str] | None = None) -> Floats:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"expected {what}s of the shape (networks, {what}s), got {rows.shape}")
    if columns is not None and len(columns) != rows.shape[1]:
        raise ValueError(f"expected {len(columns)} {what}s, one a column's name, got {rows.shape[1]}")
    wrong = ~np.isfinite(rows)
    if what == "feature":
        wrong |= rows < 0
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        name = f" '{columns[column]}'" if columns is not None else f" {column}"
        rule = "finite and not negative" if what == "feature" else "finite"
        raise WrongUse(
            f"{what}s are {rule}, {what}{name} of network {row} is {rows[row, column]:g} ({int(wrong.sum())} such in "
            f"all); leave out these networks, or the {what}"
        )
    return rows


def read_figures(measured: ArrayLike, count: int) -> Floats:
    """`(count,)`, checked: `WrongUse` with the network whose figure is not finite and above 0."""
    known = np.asarray(measured, dtype=np.float64)
    if known.shape != (count,):
        raise ValueError(f"expected a measured figure of each of {count} networks, got the shape {known.shape}")
    wrong = np.flatnonzero(~(np.isfinite(known) & (known > 0)))
    if len(wrong):
        raise WrongUse(
            f"a measured figure is finite and above 0, that of network {wrong[0]} is {known[wrong[0]]:g} "
            f"({len(wrong)} such in all); measure again, or leave out these networks"
        )
    return known


def _bounds(rows: Floats) -> tuple[Floats, Floats]:
    if not len(rows):
        return np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    return rows.min(axis=0), rows.max(axis=0)


def _varying(low: Floats, high: Floats) -> Bools:
    """Which columns differ by more than rounding."""
    return np.asarray(high - low > _ROUNDING * np.maximum(np.abs(low), np.abs(high)), dtype=bool)


def _outside(rows: Floats, low: Floats, high: Floats) -> Bools:
    slack = _ROUNDING * np.maximum(np.abs(low), np.abs(high))
    return np.asarray(((rows < low - slack) | (rows > high + slack)).any(axis=1), dtype=bool)
