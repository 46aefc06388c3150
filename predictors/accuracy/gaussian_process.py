"""A Gaussian process: the best where accuracy changes smoothly with the features, from about 20 networks on.

Matern kernel of smoothness 5/2 with a length for each feature, and noise (Rasmussen and Williams, Gaussian Processes
for Machine Learning, 2006, sections 4.2 and 5.4); all of it by maximum likelihood, with scikit-learn. The work grows
with the cube of the networks: some hundreds are seconds, for thousands take `extra_trees`.
"""

import warnings
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from predictors.accuracy.predictor import AccuracyPredictor, Floats

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

# Bounds, in deviations of a feature and of the accuracy. A length below the shortest would let the process pass through
# every point on a feature of few values; at the longest a feature does not count.
_LENGTHS = (0.5, 1e3)
_VARIANCES = (1e-2, 1e3)
_NOISES = (1e-6, 1.0)


class GaussianProcess(AccuracyPredictor):
    """Posterior mean and deviation, noise of a measurement included."""

    name: ClassVar[str] = "gaussian_process"
    title: ClassVar[str] = "Gaussian process, a length for each feature"

    _model: "GaussianProcessRegressor"

    def _fit(self, features: Floats, accuracy: Floats) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        count = features.shape[1]
        # Networks lie about sqrt(2 f) apart: from lengths much below that the search for better ones sees no slope.
        lengths = np.full(count, np.sqrt(count))
        kernel = ConstantKernel(1.0, _VARIANCES) * Matern(lengths, _LENGTHS, nu=2.5) + WhiteKernel(0.01, _NOISES)
        self._model = GaussianProcessRegressor(kernel, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a parameter at its bound is an answer
            self._model.fit(features, accuracy)

    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        mean, std = self._model.predict(features, return_std=True)
        return np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)


PREDICTOR = GaussianProcess
