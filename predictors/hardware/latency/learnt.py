"""Models of the logarithm of what was measured, from features and details alike: what they share."""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from predictors.hardware.latency.predictor import Floats, LatencyPredictor

Answers = Callable[[Floats], Floats]
"""From inputs `(m, f)` to `(m,)`."""
Learner = Callable[[Floats, Floats, Floats], Answers]
"""From inputs `(n, f)`, targets `(n,)` and weights `(n,)` to answers. Fixed seeds."""


class Learnt(LatencyPredictor):
    """A relative error is the same everywhere on the logarithm; that operators add up is not known to it."""

    _answers: Answers

    @staticmethod
    @abstractmethod
    def learner(inputs: Floats, targets: Floats, weights: Floats) -> Answers:
        """The `Learner` of this model."""

    def _fit(self, features: Floats, details: Floats, measured: Floats) -> None:
        self._answers = self.learner(np.hstack([features, details]), np.log(measured), np.ones(len(measured)))

    def _predict(self, features: Floats, details: Floats) -> Floats:
        return np.asarray(np.exp(self._answers(np.hstack([features, details]))), dtype=np.float64)


def standardiser(inputs: Floats) -> Callable[[Floats], Floats]:
    """To mean 0 and deviation 1 over these inputs; what does not differ becomes 0 there."""
    centre, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale[scale == 0] = 1
    return lambda asked: np.asarray((asked - centre) / scale, dtype=np.float64)
