"""A Gaussian process on the logarithm, with one length for all inputs (Rasmussen and Williams, 2006, section 5.4)."""

import warnings
from typing import ClassVar

import numpy as np

from predictors.hardware.latency.learnt import Answers, Learnt, standardiser
from predictors.hardware.latency.predictor import Floats

_SHORTEST, _LONGEST = 0.3, 100.0  # of a length, in distances between networks


class GaussianProcess(Learnt):
    """Matern 5/2, and a linear part. The work grows with the cube of the networks: up to about a thousand."""

    name: ClassVar[str] = "gaussian_process"
    title: ClassVar[str] = "Gaussian process"

    @staticmethod
    def learner(inputs: Floats, targets: Floats, weights: Floats) -> Answers:
        """With scikit-learn; a weight divides the noise of a measurement."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

        scaled, far = standardiser(inputs), np.sqrt(inputs.shape[1])
        mean, deviation = targets.mean(), targets.std() or 1.0
        smooth = ConstantKernel(0.5, (1e-3, 1e2)) * Matern(2 * far, (_SHORTEST * far, _LONGEST * far), nu=2.5)
        linear = ConstantKernel(0.5 / far**2, (1e-6, 1e1)) * DotProduct(1.0, "fixed")
        noise = 0.01 * (1 / weights - 1 / weights.max()) + 1e-10
        model = GaussianProcessRegressor(smooth + linear + WhiteKernel(0.1, (1e-5, 2.0)), alpha=noise, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a parameter at its bound is an answer
            model.fit(scaled(inputs), (targets - mean) / deviation)
        return lambda asked: np.asarray(mean + deviation * model.predict(scaled(asked)), dtype=np.float64)


PREDICTOR = GaussianProcess
