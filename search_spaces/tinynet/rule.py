"""How much resolution and depth a network gets for its multiply-accumulates; the width is what is left to solve.

`c` is the share of the base's MACs at 224 pixels. The paper fits r(c) and d(c) by a Gaussian process on the Pareto
front of trained networks and publishes five networks, no coefficients. It takes the width from c = d w^2 r^2, which is
16 to 45 % off for small networks (stem and head do not shrink, channels are multiples of 8): here the width is solved
on the exact count.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# share of the base's MACs -> resolution and depth multipliers, both `(n,)`
Rule = Callable[[Floats], tuple[Floats, Floats]]

# MACs of TinyNet E to A, their r and d: arXiv 2010.14819, multipliers as in timm 1.0.31
_PUBLISHED_MACS = (24_356_848, 51_580_656, 99_536_432, 200_709_360, 336_867_712)
_PUBLISHED_R = (0.475, 0.68, 0.825, 0.84, 0.86)
_PUBLISHED_D = (0.60, 0.695, 0.85, 1.1, 1.2)
_B0_MACS = 385_814_752
# EfficientNet's compound rule, arXiv 1905.11946: d = 1.2^phi, w = 1.1^phi, r = 1.15^phi
_GIANT_DEPTH, _GIANT_WIDTH, _GIANT_RESOLUTION = 1.2, 1.1, 1.15


def tiny(c: Floats) -> tuple[Floats, Floats]:
    """Resolution and depth interpolated between the five published networks in ln c.

    Beyond them along the line through the two nearest in ln r and ln d over ln c: a multiplier stays above 0.

    >>> r, d = tiny(np.array([_PUBLISHED_MACS[2] / _B0_MACS]))
    >>> round(float(r[0]), 3), round(float(d[0]), 3)
    (0.825, 0.85)
    """
    known = np.log(np.array(_PUBLISHED_MACS) / _B0_MACS)
    at = np.log(c)
    return _between(at, known, np.array(_PUBLISHED_R)), _between(at, known, np.array(_PUBLISHED_D))


def _between(at: Floats, known: Floats, values: Floats) -> Floats:
    inside = np.interp(at, known, values)
    for first, second, outside in ((0, 1, at < known[0]), (-2, -1, at > known[-1])):
        slope = np.log(values[second] / values[first]) / (known[second] - known[first])
        end = 0 if first == 0 else -1
        beyond = values[end] * np.exp(slope * (at - known[end]))
        inside = np.where(outside, beyond, inside)
    return inside


def giant(phi: Floats) -> tuple[Floats, Floats, Floats]:
    """EfficientNet's compound rule: r, d and w of each phi; below 0 it shrinks the base."""
    return _GIANT_RESOLUTION**phi, _GIANT_DEPTH**phi, _GIANT_WIDTH**phi


def fitted(c: Sequence[float], r: Sequence[float], d: Sequence[float]) -> Rule:
    """The posterior mean of a Gaussian process over ln c for each multiplier, from networks of a Pareto front.

    Squared-exponential kernel with noise, its parameters by maximum likelihood (scikit-learn). At least one network.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, WhiteKernel

    at = np.log(np.asarray(c, dtype=np.float64))[:, None]
    kernel = RBF(1.0, (0.3, 10.0)) + WhiteKernel(0.1, (1e-3, 1.0))
    models = [
        GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(at, np.asarray(values))
        for values in (r, d)
    ]

    def rule(c: Floats) -> tuple[Floats, Floats]:
        found = [np.asarray(model.predict(np.log(c)[:, None]), dtype=np.float64) for model in models]
        return found[0], found[1]

    return rule
