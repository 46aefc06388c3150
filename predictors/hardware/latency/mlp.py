"""Small fully connected networks on the logarithm; they want some hundreds of measured networks."""

import warnings
from typing import ClassVar

import numpy as np

from predictors.hardware.latency.learnt import Answers, Learnt, standardiser
from predictors.hardware.latency.predictor import Floats

_HIDDEN = (16,)
_MEMBERS = 3
_ITERATIONS = 60
_DECAY = 1.0


class Mlp(Learnt):
    """The mean of three that start differently."""

    name: ClassVar[str] = "mlp"
    title: ClassVar[str] = "fully connected networks"

    @staticmethod
    def learner(inputs: Floats, targets: Floats, weights: Floats) -> Answers:
        """With scikit-learn, by L-BFGS."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        scaled = standardiser(inputs)
        mean, deviation = targets.mean(), targets.std() or 1.0
        members = [
            MLPRegressor(
                hidden_layer_sizes=_HIDDEN, solver="lbfgs", alpha=_DECAY, max_iter=_ITERATIONS, random_state=seed
            )
            for seed in range(_MEMBERS)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is a penalty of its own
            for member in members:
                member.fit(scaled(inputs), (targets - mean) / deviation, sample_weight=weights)
        return lambda asked: np.asarray(
            mean + deviation * np.mean([member.predict(scaled(asked)) for member in members], axis=0), dtype=np.float64
        )


PREDICTOR = Mlp
