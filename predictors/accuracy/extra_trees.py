"""Extremely randomised trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006), with scikit-learn.

For few networks, where a Gaussian process cannot yet tell its lengths, and for thousands, where it takes too long.
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from predictors.accuracy.predictor import AccuracyPredictor, Floats

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesRegressor

_TREES = 200


class ExtraTrees(AccuracyPredictor):
    """Mean and spread of the trees.

    Each tree knows all networks, so that of one that was learnt from there is no spread; far away from all it does not
    grow: a tree does not extrapolate.
    """

    name: ClassVar[str] = "extra_trees"
    title: ClassVar[str] = "extremely randomised trees"

    _model: "ExtraTreesRegressor"

    def _fit(self, features: Floats, accuracy: Floats) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self._model = ExtraTreesRegressor(_TREES, random_state=0).fit(features, accuracy)

    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        answers = np.stack([tree.predict(features) for tree in self._model.estimators_])
        return answers.mean(axis=0), answers.std(axis=0)


PREDICTOR = ExtraTrees
