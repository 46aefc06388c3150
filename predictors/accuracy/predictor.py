"""What every predictor of accuracy does: refuses what cannot be learnt from, standardises the rest."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search_spaces.core.errors import WrongUse

Floats = NDArray[np.float64]
FEWEST = 5  # networks to learn from; with fewer no order but that of chance is found
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Prediction:
    """Accuracy `(n,)` as a fraction: the mean, and the standard deviation of what a measurement would give.

    A mean may lie a little below 0 or above 1: cut off there, networks that differ would tie.
    """

    mean: Floats
    std: Floats


class AccuracyPredictor(ABC):
    """Learns accuracy from features of networks (`SearchSpace.features`), in any unit. Same data, same predictor.

    A model says `_fit` and `_predict`. Both get features of mean 0 and deviation 1 over the networks learnt from, those
    left out that all of these share; accuracies likewise.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    _varying: NDArray[np.bool_] | None = None

    @abstractmethod
    def _fit(self, features: Floats, accuracy: Floats) -> None:
        """Learns from `(n, f)` and `(n,)`, both standardised; n is at least `FEWEST`, f at least 1."""

    @abstractmethod
    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation `(m,)` for `(m, f)`, standardised as those learnt from."""

    def fit(self, features: ArrayLike, accuracy: ArrayLike) -> Self:
        """Learns from features `(n, f)` and measured accuracy `(n,)`, a fraction; NaN: not measured, left out.

        Gives itself. `WrongUse` where there is nothing to learn from, `ValueError` where shapes do not match.
        """
        rows, known = _matrix(features), np.asarray(accuracy, dtype=np.float64)
        if known.shape != rows.shape[:1]:
            raise ValueError(f"expected an accuracy for each of {len(rows)} networks, got the shape {known.shape}")
        measured = ~np.isnan(known)
        rows, known = rows[measured], known[measured]
        varying = _varying(rows)
        _refuse_what_teaches_nothing(known, varying)
        rows = rows[:, varying]
        self._centre, self._scale = rows.mean(axis=0), rows.std(axis=0)
        self._mean, self._deviation = known.mean(), known.std()
        self._fit((rows - self._centre) / self._scale, (known - self._mean) / self._deviation)
        self._varying = varying
        return self

    def predict(self, features: ArrayLike) -> Prediction:
        """Accuracy of networks `(m, f)`; `ValueError` before `fit`, or where f is not what was learnt from."""
        if self._varying is None:
            raise ValueError(f"the predictor '{self.name}' has learnt nothing yet; call fit first")
        rows = _matrix(features)
        if rows.shape[1] != len(self._varying):
            raise ValueError(f"expected {len(self._varying)} features, as learnt from, got {rows.shape[1]}")
        if not len(rows):
            return Prediction(np.empty(0), np.empty(0))
        mean, std = self._predict((rows[:, self._varying] - self._centre) / self._scale)
        return Prediction(self._mean + self._deviation * mean, self._deviation * std)


def _matrix(features: ArrayLike) -> Floats:
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"expected features of the shape (networks, features), got {rows.shape}")
    wrong = np.argwhere(~np.isfinite(rows))
    if len(wrong):
        row, column = wrong[0]
        raise WrongUse(
            f"features are finite numbers, feature {column} of network {row} is {rows[row, column]} "
            f"({len(wrong)} such in all); leave out these networks, or the feature"
        )
    return rows


def _varying(rows: Floats) -> NDArray[np.bool_]:
    """Which features `(f,)` differ between networks `(n, f)` by more than rounding."""
    if not len(rows):
        return np.zeros(rows.shape[1], dtype=bool)
    differ: NDArray[np.bool_] = np.ptp(rows, axis=0) > _ROUNDING * np.abs(rows).max(axis=0)
    return differ


def _refuse_what_teaches_nothing(accuracy: Floats, varying: NDArray[np.bool_]) -> None:
    """`WrongUse` for measured accuracies `(n,)`, and which features `(f,)` differ between their networks."""
    if len(accuracy) < FEWEST:
        raise WrongUse(
            f"accuracy is learnt from at least {FEWEST} measured networks, got {len(accuracy)}; measure more"
        )
    outside = accuracy[(accuracy < 0) | (accuracy > 1)]
    if len(outside):
        raise WrongUse(f"accuracy is a fraction from 0 to 1, got {outside[0]:g}; divide percentages by 100")
    if np.ptp(accuracy) == 0:
        raise WrongUse(
            f"all {len(accuracy)} measured networks have the accuracy {accuracy[0]:g}, so none can be told from "
            "another; train them longer, or measure others"
        )
    if not varying.any():
        raise WrongUse(
            f"all {len(accuracy)} measured networks have the same {len(varying)} features; measure others, or describe "
            "them by more features"
        )
