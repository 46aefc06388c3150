"""Stochastic gradient boosting (Friedman, Computational Statistics and Data Analysis 38, 2002); for many networks."""

from typing import Any, ClassVar

import numpy as np

from predictors.hardware.latency.learnt import Answers, Learnt
from predictors.hardware.latency.predictor import Floats

_MANY = 300
_FEW_NETWORKS: dict[str, Any] = {"n_estimators": 60, "max_depth": 2}
_MANY_NETWORKS: dict[str, Any] = {"n_estimators": 200, "max_depth": 5}


class BoostedTrees(Learnt):
    """Finds what goes together; from few networks it does not even find that operators add up."""

    name: ClassVar[str] = "boosted_trees"
    title: ClassVar[str] = "gradient boosted trees"

    @staticmethod
    def learner(inputs: Floats, targets: Floats, weights: Floats) -> Answers:
        """With scikit-learn; deeper trees, and more of them, from 300 networks on."""
        from sklearn.ensemble import GradientBoostingRegressor

        size = _MANY_NETWORKS if len(inputs) >= _MANY else _FEW_NETWORKS
        model = GradientBoostingRegressor(
            learning_rate=0.08, subsample=0.8, max_features=0.3, random_state=0, **size
        ).fit(inputs, targets, sample_weight=weights)
        return lambda asked: np.asarray(model.predict(asked), dtype=np.float64)


PREDICTOR = BoostedTrees
