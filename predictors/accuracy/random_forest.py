"""A random forest (Breiman, Machine Learning 45, 2001): the best on table-like choices beside cheap scalars.

Give it parameters, multiply-accumulates and a zero-cost proxy such as nwot as further features; they are worth about
twice as many measured networks.
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from predictors.accuracy.predictor import AccuracyPredictor, Floats

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

_TREES = 200
_FEATURES = 1 / 3  # asked at each split; Breiman's advice for regression


class RandomForest(AccuracyPredictor):
    """Mean and spread of the trees.

    Each tree knows its own draw of the networks, so that one that was learnt from has a spread, too; far away from all
    it does not grow: a tree does not extrapolate.
    """

    name: ClassVar[str] = "random_forest"
    title: ClassVar[str] = "random forest"

    _model: "RandomForestRegressor"

    def _fit(self, features: Floats, accuracy: Floats) -> None:
        from sklearn.ensemble import RandomForestRegressor

        self._model = RandomForestRegressor(_TREES, max_features=_FEATURES, random_state=0).fit(features, accuracy)

    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        answers = np.stack([tree.predict(features) for tree in self._model.estimators_])
        return answers.mean(axis=0), answers.std(axis=0)


PREDICTOR = RandomForest
