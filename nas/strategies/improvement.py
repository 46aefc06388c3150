"""Expected hypervolume improvement by points: any number of objectives, any number of candidates at once.

The hypervolume is the measure of what the front dominates, so the gain that is expected of a candidate is the integral,
over what is not yet dominated, of the probability that the candidate dominates it (Emmerich, Giannakoglou and Naujoks,
IEEE Transactions on Evolutionary Computation 10, 2006, give it in closed form for two objectives). Here the integral is
a sum over points of a lattice. It lets a batch be chosen greedily: what the first of it will probably dominate counts
for the next by the probability that it does not.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nas.core.pareto import non_dominated

Floats = NDArray[np.float64]

_COARSE, _FINE = 512, 4096  # lattice points before those out of reach are left out
_MOST_POINTS, _MOST_CANDIDATES = 2048, 256
_OPTIMISTIC = 2.5  # deviations better than expected: nothing beyond is thought reachable
_SHARP = 1e-9  # deviation of what is known exactly, as a share of the objective's extent


Density = Callable[[Floats], Floats]


def even(points: Floats) -> Floats:
    """Volume counts the same everywhere."""
    return np.ones(len(points))


def best_together(
    mean: Floats,
    std: Floats,
    front: Floats,
    worst: Floats,
    count: int,
    chance: Floats | None = None,
    density: Density = even,
) -> list[int]:
    """Rows of the `count` candidates that are expected to add most to the front together, the best first.

    `mean`, `std`: predictions `(n, objectives)`, less is better, independent, 0 deviation for what is known exactly.
    `front` `(m, objectives)`: what is dominated already, may be empty. `worst`: the box's corner, beyond which nothing
    counts. `chance` `(n,)`: with which probability a candidate is within limits that are no objectives. `density`: how
    much volume around points `(p, objectives)` counts. Where no candidate can add anything, those that miss the box by
    fewest deviations. At most `n` are given.
    """
    chance = np.ones(len(mean)) if chance is None else chance
    extent = np.maximum(np.ptp(np.concatenate([mean, worst[None]]), axis=0), np.finfo(float).tiny)
    std = np.maximum(std, _SHARP * extent)
    rows = np.arange(len(mean))
    if len(mean) > _MOST_CANDIDATES:
        points = _points(mean, std, front, worst, _COARSE)
        gains = (_gains(mean, std, points) @ density(points)) * chance
        rows = np.sort(np.argsort(-gains, kind="stable")[:_MOST_CANDIDATES])
    points = _points(mean[rows], std[rows], front, worst, _FINE)
    gains = _gains(mean[rows], std[rows], points) * chance[rows, None]
    chosen = _greedy(gains, density(points), min(count, len(rows)))
    if len(chosen) < min(count, len(rows)):
        misses = (np.maximum(mean[rows] - worst, 0.0) / std[rows]).sum(axis=1) - np.log(np.maximum(chance[rows], 1e-12))
        rest = [row for row in np.argsort(misses, kind="stable").tolist() if row not in chosen]
        chosen += rest[: min(count, len(rows)) - len(chosen)]
    return [int(rows[row]) for row in chosen]


def normal_cdf(z: Floats) -> Floats:
    """The normal distribution function, to 1e-7 (Abramowitz and Stegun, 7.1.26).

    >>> normal_cdf(np.array([-1.96, 0.0, 1.96])).round(3).tolist()
    [0.025, 0.5, 0.975]
    """
    x = np.minimum(np.abs(z), 8.0) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.3275911 * x)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = 0.5 * series * np.exp(-x * x)
    return np.asarray(np.where(z < 0, tail, 1.0 - tail))


def _greedy(gains: Floats, left: Floats, count: int) -> list[int]:
    """Rows of `gains` `(n, points)`, each the best after those before it; ends where nothing is gained.

    `left` `(points,)`: what each point counts.
    """
    free = np.ones(len(gains), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < count:
        totals = np.where(free, gains @ left, -1.0)
        best = int(np.argmax(totals))
        if totals[best] <= 0.0:
            break
        chosen.append(best)
        free[best] = False
        left = left * (1.0 - gains[best])
    return chosen


def _gains(mean: Floats, std: Floats, points: Floats) -> Floats:
    """With which probability each candidate dominates each point, `(n, points)`."""
    found = np.ones((len(mean), len(points)))
    for k in range(mean.shape[1]):
        found *= normal_cdf((points[None, :, k] - mean[:, None, k]) / std[:, None, k])
    return found


def _points(mean: Floats, std: Floats, front: Floats, worst: Floats, count: int) -> Floats:
    """Points of the box that are not dominated, and that some candidate could dominate; at most `_MOST_POINTS`."""
    hoped = mean - _OPTIMISTIC * std
    lowest = np.minimum(hoped.min(axis=0), worst)
    hoped = hoped[non_dominated(hoped)]
    points = lowest + (worst - lowest) * _lattice(count, mean.shape[1])
    points = points[_dominated(points, hoped)]
    free: Floats = points[~_dominated(points, front)][:_MOST_POINTS]
    return free


def _dominated(points: Floats, front: Floats) -> NDArray[np.bool_]:
    if not len(front):
        return np.zeros(len(points), dtype=bool)
    below: NDArray[np.bool_] = front[None] <= points[:, None]
    found: NDArray[np.bool_] = np.any(np.all(below, axis=2), axis=1)
    return found


def _lattice(count: int, dimensions: int) -> Floats:
    """Evenly spread points of the unit box `(count, dimensions)`: multiples of a generalised golden ratio (Roberts,
    'The unreasonable effectiveness of quasirandom sequences', 2018).
    """
    ratio = 2.0
    for _ in range(64):  # the fixed point of x = (1 + x) ** (1 / (d + 1))
        ratio = (1.0 + ratio) ** (1.0 / (dimensions + 1))
    steps = (1.0 / ratio) ** np.arange(1, dimensions + 1)
    return np.asarray((0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0)
