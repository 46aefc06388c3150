"""Accuracy with an interval around it, and how good both are: a model beside the same one that was not shown a fold.

The intervals are those of `predictors.core.conformal`: they ask nothing of a model's own deviation.
"""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.accuracy import DEFAULT, accuracy_predictor
from predictors.accuracy.predictor import AccuracyPredictor
from predictors.core.conformal import cross_conformal, grouped_folds, quantile
from search_spaces.core.errors import WrongUse

Floats = NDArray[np.float64]

COVERAGE = 0.9
FEWEST_TO_JUDGE = 7  # networks, so that without a fold of two there are still enough to learn from
_FOLDS = 5


class IntervalPredictor:
    """A model of `predictors/accuracy` by its name, cross-validated. Same data, same predictor.

    After `fit`, of each network learnt from `(n,)`: `left_out`, its accuracy by a model that was not shown it, and
    `left_out_width`, how far its interval goes up and down from there, by the residuals of all other folds; infinity
    where these are too few (see `cross_conformal`).
    """

    left_out: Floats
    left_out_width: Floats

    def __init__(self, name: str = DEFAULT) -> None:
        self.name = name
        self._model = accuracy_predictor(name)

    def fit(self, features: ArrayLike, accuracy: ArrayLike) -> Self:
        """Learns from `(n, f)` and `(n,)`, fractions; networks of equal features are never asked of a model that knows
        one of them. Gives itself. `WrongUse` as `AccuracyPredictor.fit`, and for fewer than 7 networks.
        """
        rows, known = np.asarray(features, dtype=np.float64), np.asarray(accuracy, dtype=np.float64)
        if len(known) < FEWEST_TO_JUDGE:
            raise WrongUse(
                f"accuracy is learnt and cross-validated from at least {FEWEST_TO_JUDGE} measured networks, got "
                f"{len(known)}; measure more"
            )
        self._model.fit(rows, known)
        alike = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
        self._folds = grouped_folds(alike, _FOLDS, seed=0)
        self._without: list[AccuracyPredictor | float] = []
        self.left_out = np.empty(len(known))
        for fold in range(self._folds.max() + 1):
            asked = self._folds == fold
            self._without.append(_learnt(self.name, rows[~asked], known[~asked]))
            self.left_out[asked] = _asked(self._without[-1], rows[asked])
        self._residuals = np.abs(known - self.left_out)
        self.left_out_width = np.empty(len(known))
        for fold in range(self._folds.max() + 1):
            self.left_out_width[self._folds == fold] = quantile(self._residuals[self._folds != fold], COVERAGE)
        return self

    def predict(self, features: ArrayLike, coverage: float = COVERAGE) -> tuple[Floats, Floats, Floats]:
        """Mean, low and high `(m,)` of networks `(m, f)`; low and high hold a measurement with the coverage asked for,
        where networks are drawn as those learnt from, and may lie beyond 0 and 1. `ValueError` as
        `AccuracyPredictor.predict`.
        """
        rows = np.asarray(features, dtype=np.float64)
        mean = self._model.predict(rows).mean
        if not len(rows):
            return mean, mean, mean
        answers = np.stack([_asked(model, rows) for model in self._without])
        low, high = cross_conformal(answers, self._folds, self._residuals, coverage)
        return mean, np.minimum(low, mean), np.maximum(high, mean)


def _learnt(name: str, features: Floats, accuracy: Floats) -> AccuracyPredictor | float:
    """A model, or the mean where a part of the data teaches nothing, as where all of it are alike."""
    try:
        return accuracy_predictor(name).fit(features, accuracy)
    except WrongUse:
        return float(accuracy.mean())


def _asked(model: AccuracyPredictor | float, features: Floats) -> Floats:
    return np.full(len(features), model) if isinstance(model, float) else model.predict(features).mean
