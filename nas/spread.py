"""Which networks to measure: few that lie far apart, so that a predictor seldom has to go beyond them.

A plain random sample of a large space is all alike, for sums of many choices are: what is rare in it, such as the
smallest networks or an unusual mix of operators, is what a predictor then knows nothing of.
"""

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.latency.operator_classes import operator_classes
from search_spaces.core.population import Population

Floats = NDArray[np.float64]


def spread_out(pool: Population, count: int, first: int = 0) -> NDArray[np.intp]:
    """Up to `count` distinct rows of a pool: the `first` rows of it, then always the row farthest from all taken.

    Distance is that of what a sum over operators runs over (`operator_classes`), in logarithms, because what matters of
    a latency is its relative error, and standardised over the pool; of equally far rows the first is taken. So the
    networks for a smaller count are the first of those for a larger one. With none given the first is the one nearest
    to the middle. This is the algorithm of Kennard and Stone, Computer Aided Design of Experiments, Technometrics
    11(1), 1969, begun with given points (its farthest-point step is Gonzalez', TCS 38, 1985).
    """
    if not len(pool) or count < 1:
        return np.zeros(0, dtype=np.intp)
    distinct = np.sort(np.unique(pool.matrix, axis=0, return_index=True)[1])
    points = _standardised(np.log1p(operator_classes(pool.space.decode(pool[distinct])).values))
    count = min(count, len(distinct))
    given = np.flatnonzero(distinct < first)[:count]
    taken = given.tolist() or [int(np.argmin((points**2).sum(axis=1)))]
    nearest = np.full(len(points), np.inf)
    for row in taken:
        nearest = np.minimum(nearest, ((points - points[row]) ** 2).sum(axis=1))
    while len(taken) < count:
        nearest[taken] = -1.0
        taken.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, ((points - points[taken[-1]]) ** 2).sum(axis=1))
    return distinct[np.array(taken, dtype=np.intp)]


def _standardised(features: Floats) -> Floats:
    """Mean 0 and deviation 1 over the rows, without columns that are equal in all."""
    deviation = features.std(axis=0)
    varies = deviation > 1e-9
    found: Floats = (features[:, varies] - features[:, varies].mean(axis=0)) / deviation[varies]
    return found
