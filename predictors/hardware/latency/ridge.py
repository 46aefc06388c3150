"""A linear model of the logarithm; the penalty by leaving one out (Golub, Heath and Wahba, Technometrics 21, 1979)."""

from typing import ClassVar

import numpy as np

from predictors.hardware.latency.learnt import Answers, Learnt, standardiser
from predictors.hardware.latency.predictor import Floats

_PENALTIES = np.logspace(-1, 6, 29)


class Ridge(Learnt):
    """Weak alone, for times add up and their logarithms do not; steady beside trees."""

    name: ClassVar[str] = "ridge"
    title: ClassVar[str] = "ridge regression"

    @staticmethod
    def learner(inputs: Floats, targets: Floats, weights: Floats) -> Answers:
        """With scikit-learn."""
        from sklearn.linear_model import RidgeCV

        scaled = standardiser(inputs)
        model = RidgeCV(_PENALTIES).fit(scaled(inputs), targets, sample_weight=weights)
        return lambda asked: np.asarray(model.predict(scaled(asked)), dtype=np.float64)


PREDICTOR = Ridge
