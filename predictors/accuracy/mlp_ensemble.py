"""Small fully connected networks that start differently (Lakshminarayanan et al., NeurIPS 2017, deep ensembles).

They want some hundreds of measured networks; below, a forest or a Gaussian process is ahead.
"""

import warnings
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from predictors.accuracy.predictor import AccuracyPredictor, Floats

if TYPE_CHECKING:
    from sklearn.neural_network import MLPRegressor

_MEMBERS = 5
_HIDDEN = (16,)
_DECAY = 0.3
_ITERATIONS = 100


class MlpEnsemble(AccuracyPredictor):
    """Mean of the members, and their spread joined with what they leave of the networks learnt from."""

    name: ClassVar[str] = "mlp_ensemble"
    title: ClassVar[str] = "ensemble of fully connected networks"

    _members: "list[MLPRegressor]"

    def _fit(self, features: Floats, accuracy: Floats) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        self._members = [
            MLPRegressor(
                hidden_layer_sizes=_HIDDEN, solver="lbfgs", alpha=_DECAY, max_iter=_ITERATIONS, random_state=seed
            )
            for seed in range(_MEMBERS)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is a penalty of its own
            for member in self._members:
                member.fit(features, accuracy)
        self._noise = float(np.std(accuracy - self._answers(features).mean(axis=0)))

    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        answers = self._answers(features)
        return answers.mean(axis=0), np.hypot(answers.std(axis=0), self._noise)

    def _answers(self, features: Floats) -> Floats:
        return np.stack([member.predict(features) for member in self._members])


PREDICTOR = MlpEnsemble
