"""An ensemble of gradient-boosted trees (Friedman, Annals of Statistics 29, 2001), with scikit-learn's histograms.

For many features and hundreds of networks, where a Gaussian process sees all of them as far apart. Each member learns
from another bootstrap sample (Breiman, Machine Learning 24, 1996), so that members disagree where little is known.
"""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from predictors.accuracy.predictor import AccuracyPredictor, Floats

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

_MEMBERS, _TREES, _LEAVES, _RATE = 6, 80, 8, 0.12
_FEWEST_IN_A_LEAF = 5


class BoostedTrees(AccuracyPredictor):
    """Mean of the members; their spread and the error on networks that a member had not drawn make the deviation."""

    name: ClassVar[str] = "boosted_trees"
    title: ClassVar[str] = "gradient-boosted trees, six bootstraps"

    _members: "list[HistGradientBoostingRegressor]"

    def _fit(self, features: Floats, accuracy: Floats) -> None:
        from sklearn.ensemble import HistGradientBoostingRegressor

        rng, self._members, missed = np.random.default_rng(0), [], []
        for member in range(_MEMBERS):
            drawn = rng.integers(len(features), size=len(features))
            model = HistGradientBoostingRegressor(
                max_iter=_TREES,
                max_leaf_nodes=_LEAVES,
                learning_rate=_RATE,
                min_samples_leaf=min(_FEWEST_IN_A_LEAF, max(len(features) // 4, 1)),
                early_stopping=False,
                random_state=member,
            ).fit(features[drawn], accuracy[drawn])
            left = np.setdiff1d(np.arange(len(features)), drawn)
            missed.append(accuracy[left] - model.predict(features[left]) if len(left) else np.zeros(1))
            self._members.append(model)
        self._error = float(np.sqrt(np.mean(np.concatenate(missed) ** 2)))

    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        answers = np.stack([member.predict(features) for member in self._members])
        # the spread of the members is part of the error of one, which is the least that is not known
        return answers.mean(axis=0), np.maximum(answers.std(axis=0), self._error)


PREDICTOR = BoostedTrees
