"""A Gaussian process of few parameters: what is linear in the features, and a smooth rest; NumPy alone, and fast.

A search asks for a new fit every few trials. The kernel is a linear one plus a Matern of smoothness 5/2 that has one
length for all features (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, sections 4.2 and 5.4).
With a length for each, some dozens of networks are learnt by heart. Four parameters are found from the gradient of the
posterior by resilient propagation (Riedmiller and Braun: ICNN 1993); the priors are wide, in deviations of accuracy.
"""

from typing import ClassVar

import numpy as np

from predictors.accuracy.predictor import AccuracyPredictor, Floats

# log of: variance of the linear part, variance of the smooth part, its length, variance of the noise
_START = np.array([-1.0, -1.0, 0.0, -4.0])
_PRIOR_DEVIATION = 2.0
_LOWEST, _HIGHEST = -8.0, 5.0
_STEPS = 40
_FIRST_STEP, _LARGEST_STEP, _SMALLEST_STEP = 0.3, 1.0, 1e-3
_CLOSE = 0.02  # steps below it change no prediction
_FASTER, _SLOWER = 1.2, 0.5
_JITTER = 1e-6
_MOST_FOR_PARAMETERS = 192  # networks that the parameters are found from; the process itself knows all


class LinearMatern(AccuracyPredictor):
    """Posterior mean and deviation, noise of a measurement included. 250 networks are a tenth of a second."""

    name: ClassVar[str] = "linear_matern"
    title: ClassVar[str] = "Gaussian process, linear and one length"

    def _fit(self, features: Floats, accuracy: Floats) -> None:
        some = np.unique(np.linspace(0, len(features) - 1, _MOST_FOR_PARAMETERS).round().astype(np.intp))
        few, known = (features, accuracy) if len(some) >= len(features) else (features[some], accuracy[some])
        self._parameters = _most_probable(few @ few.T / few.shape[1], _distances(few, few), known)
        self._learnt = features
        covariance = _covariance(self._parameters, *self._products(features))
        covariance[np.diag_indices_from(covariance)] += np.exp(self._parameters[3]) + _JITTER
        self._whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        self._weights = self._whiten.T @ (self._whiten @ accuracy)

    def _predict(self, features: Floats) -> tuple[Floats, Floats]:
        cross = _covariance(self._parameters, *self._products(features))
        linear, smooth, _, noise = np.exp(self._parameters)
        prior = linear * (features**2).mean(axis=1) + smooth
        explained = ((self._whiten @ cross) ** 2).sum(axis=0)
        mean: Floats = cross.T @ self._weights
        return mean, np.sqrt(np.maximum(prior - explained, 0.0) + noise)

    def _products(self, features: Floats) -> tuple[Floats, Floats]:
        return self._learnt @ features.T / features.shape[1], _distances(self._learnt, features)


def _distances(ours: Floats, theirs: Floats) -> Floats:
    """Root of the mean square difference `(n, m)`, times the root of five."""
    squares = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1)[None] - 2 * ours @ theirs.T
    return np.asarray(np.sqrt(5 * np.maximum(squares, 0.0) / ours.shape[1]))


def _covariance(parameters: Floats, products: Floats, distances: Floats) -> Floats:
    linear, smooth, length = np.exp(parameters[:3])
    r = distances / length
    return np.asarray(linear * products + smooth * (1 + r + r * r / 3) * np.exp(-r))


def _most_probable(products: Floats, distances: Floats, known: Floats) -> Floats:
    """Parameters at the highest posterior found."""
    parameters, best, least = _START.copy(), _START.copy(), np.inf
    steps, before = np.full(len(_START), _FIRST_STEP), np.zeros(len(_START))
    for _ in range(_STEPS):
        loss, slope = _loss(parameters, products, distances, known)
        if loss < least:
            least, best = loss, parameters
        turned = slope * before < 0
        steps = np.clip(np.where(turned, _SLOWER, _FASTER) * steps, _SMALLEST_STEP, _LARGEST_STEP)
        before = np.where(turned, 0.0, slope)  # one step in the old direction is skipped
        parameters = np.clip(parameters - np.sign(before) * steps, _LOWEST, _HIGHEST)
        if steps.max() < _CLOSE:
            break
    return best


def _loss(parameters: Floats, products: Floats, distances: Floats, known: Floats) -> tuple[float, Floats]:
    """Negative log posterior less a constant, and its slope by parameter."""
    linear, smooth, length, noise = np.exp(parameters)
    r = distances / length
    decay = smooth * np.exp(-r)
    straight, curved = linear * products, decay * (1 + r + r * r / 3)
    covariance = straight + curved
    covariance[np.diag_indices_from(covariance)] += noise + _JITTER
    lower = np.linalg.cholesky(covariance)
    whiten = np.linalg.inv(lower)
    inverse = whiten.T @ whiten
    weights = inverse @ known
    pull = inverse - np.outer(weights, weights)
    by_length = decay * (r * r * (1 + r) / 3)
    slope = 0.5 * np.array([*((pull * part).sum() for part in (straight, curved, by_length)), noise * np.trace(pull)])
    away = (parameters - _START) / _PRIOR_DEVIATION
    loss = 0.5 * known @ weights + np.log(np.diag(lower)).sum() + 0.5 * away @ away
    return float(loss), slope + away / _PRIOR_DEVIATION


PREDICTOR = LinearMatern
