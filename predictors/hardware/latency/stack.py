"""The default: a robust sum over operators, and what measurements say beyond it once there are enough.

The sum is right from few networks on and extrapolates; what it leaves, log(measured / sum), is learnt from features and
details by boosted trees, alone or together with a linear model, and kept only where repeated cross-validation says that
it lowers the error of networks that were left out.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from predictors.core.conformal import grouped_folds
from predictors.hardware.latency.additive import Additive
from predictors.hardware.latency.boosted_trees import BoostedTrees
from predictors.hardware.latency.learnt import Learner
from predictors.hardware.latency.predictor import Floats, LatencyPredictor, alike
from predictors.hardware.latency.ridge import Ridge

ENOUGH = 50  # networks from which something beyond the sum is looked for
_FOLDS, _REPEATS = 5, 2
_LARGEST_ERROR = 0.5  # of one network, where models are compared

_BOTH = (Ridge.learner, BoostedTrees.learner)
RESIDUALS: dict[str, tuple[float, tuple[Learner, ...]]] = {
    "none": (0.0, ()),
    "half of ridge and boosted trees": (0.5, _BOTH),
    "ridge and boosted trees": (1.0, _BOTH),
    "boosted trees": (1.0, (BoostedTrees.learner,)),
}
"""What may be learnt beyond the sum: a share of the mean of these, for what one gets wrong in its own way is halved;
half of it where noise hides most."""


class Stack(LatencyPredictor):
    """`residual` says what is learnt beyond the sum, "none" for nothing; `additive` is the sum."""

    name: ClassVar[str] = "stack"
    title: ClassVar[str] = "robust sum over operators, then what it leaves by boosted trees"

    additive: Additive
    residual: str

    def __init__(self, residual: str | None = None, additive: Additive | None = None) -> None:
        """`residual`: one of the known ones; None: cross-validation says."""
        self._wanted = residual
        self.additive = additive or Additive()

    def fewest(self, features: int) -> int:
        """Those of the sum."""
        return self.additive.fewest(features)

    def _fresh(self) -> "Stack":
        return Stack(self.residual, self.additive._fresh())

    def _fit(self, features: Floats, details: Floats, measured: Floats) -> None:
        self.additive._fit(features, details, measured)
        self.residual = self._wanted or "none"
        if self._wanted is None and len(measured) >= ENOUGH:
            self.residual = self._best(features, details, measured)
        inputs, left = np.hstack([features, details]), self._left(features, details, measured)
        self._reach = float(np.abs(left).max())
        self._share, learners = RESIDUALS[self.residual]
        self._parts = [learner(inputs, left, self.additive.weights) for learner in learners]

    def _predict(self, features: Floats, details: Floats) -> Floats:
        total = self.additive._predict(features, details)
        if not self._parts:
            return total
        inputs = np.hstack([features, details])
        beyond = self._share * np.mean([part(inputs) for part in self._parts], axis=0)
        # what is linear could grow without bound far away from all that was measured
        return np.asarray(total * np.exp(np.clip(beyond, -self._reach, self._reach)), dtype=np.float64)

    def _left(self, features: Floats, details: Floats, measured: Floats) -> Floats:
        return np.asarray(np.log(measured / self.additive._predict(features, details)), dtype=np.float64)

    def _best(self, features: Floats, details: Floats, measured: Floats) -> str:
        """The residual of the smallest error; "none" where its lead is within one standard error."""
        groups = alike(features, details)
        repeats = [
            self._left_out_errors(grouped_folds(groups, _FOLDS, seed), features, details, measured)
            for seed in range(1, _REPEATS + 1)
        ]
        errors = {name: np.mean([each[name] for each in repeats], axis=0) for name in RESIDUALS}
        best = min(errors, key=lambda name: float(errors[name].mean()))
        gains = errors["none"] - errors[best]
        return best if gains.mean() > gains.std() / np.sqrt(len(gains)) else "none"

    def _left_out_errors(
        self, folds: NDArray[np.intp], features: Floats, details: Floats, measured: Floats
    ) -> dict[str, Floats]:
        """Of each residual, the relative errors `(n,)` of networks that were left out by turns; a half at most."""
        errors = {name: np.empty(len(measured)) for name in RESIDUALS}
        learners = dict.fromkeys(learner for _, several in RESIDUALS.values() for learner in several)
        inputs = np.hstack([features, details])
        for fold in range(folds.max() + 1):
            asked, known = folds == fold, folds != fold
            model = Stack("none", self.additive._fresh())
            model._fit(features[known], details[known], measured[known])
            left = model._left(features[known], details[known], measured[known])
            total = model._predict(features[asked], details[asked])
            beyond = {
                learner: learner(inputs[known], left, model.additive.weights)(inputs[asked]) for learner in learners
            }
            for name, (share, parts) in RESIDUALS.items():
                found = total * np.exp(share * np.mean([beyond[part] for part in parts], axis=0)) if parts else total
                errors[name][asked] = np.minimum(np.abs(found / measured[asked] - 1), _LARGEST_ERROR)
        return errors


PREDICTOR = Stack
