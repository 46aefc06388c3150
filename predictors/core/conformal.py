"""Intervals that hold without a model of the error: cross-validated residuals, ranked.

Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; CV+ of Barber, Candes, Ramdas and Tibshirani,
Predictive Inference with the Jackknife+, Annals of Statistics 49(1), 2021. Where what is asked is drawn as what was
learnt from, at least 1 - 2 a of the intervals hold the truth for a coverage of 1 - a, and about 1 - a in practice.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_AT_ONCE = 4_000_000  # cells of the table of candidates


def grouped_folds(groups: NDArray[np.intp], most: int, seed: int) -> NDArray[np.intp]:
    """Fold `(n,)` of each row, at most `most` folds of near equal size; rows of one group are in one fold.

    A network that was measured twice would else be asked of a model that knows it.
    """
    names, places, counts = np.unique(groups, return_inverse=True, return_counts=True)
    folds = min(most, len(names))
    fold_of = np.empty(len(names), dtype=np.intp)
    held = np.zeros(folds, dtype=np.intp)
    for name in np.random.default_rng(seed).permutation(len(names)):
        fold_of[name] = np.argmin(held)
        held[fold_of[name]] += counts[name]
    return np.asarray(fold_of[places], dtype=np.intp)


def is_enough(count: int, coverage: float) -> bool:
    """Whether residuals of `count` rows give an interval of this coverage.

    >>> is_enough(8, 0.9), is_enough(9, 0.9)
    (False, True)
    """
    return _rank(count, coverage) <= count


def quantile(residuals: Floats, coverage: float) -> float:
    """What a further residual is within, with this coverage; infinity of too few."""
    rank = _rank(len(residuals), coverage)
    return float(np.sort(residuals)[rank - 1]) if rank <= len(residuals) else math.inf


def _rank(count: int, coverage: float) -> int:
    # rounded, for 0.9 * 10 is more than 9 by the last bit
    return math.ceil(round(coverage * (count + 1), 9))


def cross_conformal(
    answers: Floats, folds: NDArray[np.intp], residuals: Floats, coverage: float
) -> tuple[Floats, Floats]:
    """Low and high `(m,)` of CV+.

    `answers` `(k, m)`: of the model that was not shown fold k; `folds`, `residuals` `(n,)`: the fold of each row learnt
    from and its absolute residual under the model that was not shown it. Of too few rows for the coverage (below 9 at
    90 %) nothing is known: minus and plus infinity. `ValueError` for a coverage outside of (0, 1).
    """
    if not 0 < coverage < 1:
        raise ValueError(f"expected a coverage between 0 and 1, got {coverage:g}")
    count, asked = len(residuals), answers.shape[1]
    rank = _rank(count, coverage)
    low, high = np.full(asked, -np.inf), np.full(asked, np.inf)
    if not is_enough(count, coverage):
        return low, high
    step = max(1, _AT_ONCE // count)
    for start in range(0, asked, step):
        part = slice(start, start + step)
        each = answers[folds, part]
        low[part] = np.partition(each - residuals[:, None], count - rank, axis=0)[count - rank]
        high[part] = np.partition(each + residuals[:, None], rank - 1, axis=0)[rank - 1]
    return low, high
