"""Bayesian linear regression (MacKay, Neural Computation 4, 1992): a baseline that any other model should beat.

The penalty and the noise by maximum likelihood, with scikit-learn.
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from predictors.accuracy.predictor import AccuracyPredictor, Floats

if TYPE_CHECKING:
    from sklearn.linear_model import BayesianRidge


class Ridge(AccuracyPredictor):
    """Posterior mean and deviation, noise of a measurement included; the deviation grows away from all networks."""

    name: ClassVar[str] = "ridge"
    title: ClassVar[str] = "Bayesian ridge regression"

    _model: "BayesianRidge"

    def _fit(self, features: Floats, accuracy: Floats) -> None:
        from sklearn.linear_model import BayesianRidge

        self._model = BayesianRidge().fit(features, accuracy)

    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        mean, std = self._model.predict(features, return_std=True)
        return np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)


PREDICTOR = Ridge
