"""A sum over operators: constant + feature x coefficient, in milliseconds and robust. The best from few networks.

Fitted to the relative error, for a fast network matters as much as a slow one; on the logarithm it would not be a sum.
Weights are those of Student's t (Lange, Little and Taylor, JASA 84, 1989), iteratively: a network that was measured
while the device did something else counts little, the further off the less, where Huber's would let it pull for ever.
More work takes no time off: coefficients are not negative, unless cross-validation says clearly that they are (columns
that overlap, such as all convolutions and the grouped ones, may need that).
"""

from typing import ClassVar

import numpy as np

from predictors.core.conformal import grouped_folds
from predictors.hardware.latency.predictor import Floats, LatencyPredictor, alike

_FREEDOM = 4.0
_LEAST_SPREAD = 0.05  # nobody calls a smaller relative error an outlier, however small the others are
_RIDGE = 1e-4  # columns that say the same share a coefficient: the last of counts that sum up to a constant
_NORMAL = 1.4826
_ROUNDS, _SETTLED = 50, 1e-4
_FOLDS, _CLEARLY = 5, 0.95  # negative coefficients have to lower the error by a twentieth
_LARGEST_ERROR = 0.5  # of one network, where models are compared


class Additive(LatencyPredictor):
    """`constant` and `coefficients` `(f,)` of the features that differ, in the unit learnt from.

    `weights` `(n,)` of the networks learnt from; `signed`: whether coefficients could be negative.
    """

    name: ClassVar[str] = "additive"
    title: ClassVar[str] = "robust sum over operators"

    constant: float
    coefficients: Floats
    weights: Floats
    signed: bool

    def __init__(self, signed: bool | None = None) -> None:
        """`signed`: coefficients may be negative; None: cross-validation says."""
        self._wanted = signed

    def fewest(self, features: int) -> int:
        """One network for each coefficient, the constant among them."""
        return features + 1

    def _fresh(self) -> "Additive":
        return Additive(self.signed)

    def _fit(self, features: Floats, details: Floats, measured: Floats) -> None:
        self.signed = bool(self._wanted)
        if self._wanted is None:
            positive, free = (_left_out_error(signed, features, measured) for signed in (False, True))
            self.signed = free < _CLEARLY * positive
        columns = np.hstack([np.ones((len(features), 1)), features]) / measured[:, None]
        scale = np.sqrt(np.mean(columns**2, axis=0))
        scale[scale == 0] = 1
        columns /= scale
        self.weights = np.ones(len(measured))
        for _ in range(_ROUNDS):
            found = _least_squares(columns, self.weights, self.signed)
            errors = columns @ found - 1
            spread = max(_NORMAL * float(np.median(np.abs(errors))), _LEAST_SPREAD)
            before, self.weights = self.weights, (_FREEDOM + 1) / (_FREEDOM + (errors / spread) ** 2)
            if np.abs(self.weights - before).max() < _SETTLED:
                break
        self.constant, self.coefficients = float(found[0] / scale[0]), found[1:] / scale[1:]
        self._least = float(measured.min()) / 10

    def _predict(self, features: Floats, details: Floats) -> Floats:
        return np.maximum(self.constant + features @ self.coefficients, self._least)


def _left_out_error(signed: bool, features: Floats, measured: Floats) -> float:
    """Mean relative error of networks that were left out, by turns; that of one counts up to a half."""
    nothing = np.empty((len(features), 0))
    folds = grouped_folds(alike(features, nothing), _FOLDS, seed=1)
    errors = np.empty(len(measured))
    for fold in range(folds.max() + 1):
        asked = folds == fold
        model = Additive(signed)
        model._fit(features[~asked], nothing[~asked], measured[~asked])
        errors[asked] = np.abs(model._predict(features[asked], nothing[asked]) / measured[asked] - 1)
    return float(np.mean(np.minimum(errors, _LARGEST_ERROR)))


def _least_squares(columns: Floats, weights: Floats, signed: bool) -> Floats:
    """Coefficients of columns `(n, p)` of size 1 that come closest to 1 under weights `(n,)`, a ridge holding them."""
    from sklearn.linear_model import LinearRegression

    count, terms = columns.shape
    roots = np.sqrt(weights)
    table = np.vstack([columns * roots[:, None], np.sqrt(_RIDGE * weights.mean() * count / terms) * np.eye(terms)])
    wanted = np.concatenate([roots, np.zeros(terms)])
    if signed:
        return np.asarray(np.linalg.lstsq(table, wanted, rcond=None)[0], dtype=np.float64)
    return np.asarray(LinearRegression(positive=True, fit_intercept=False).fit(table, wanted).coef_, dtype=np.float64)


PREDICTOR = Additive
