"""How well predictions agree with measurements: in order, and in relative error.

All take two arrays `(n,)`, the first measured, the second predicted, and give a float. A value that is not finite is
refused, for a score that quietly leaves out what failed is too good; so are shapes that differ (`ValueError`). Where a
score does not exist, of no values or of an order of fewer than two distinct ones, it is NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def kendall(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Kendall's tau-b: concordant less discordant pairs, ties of either side taken out of the denominator.

    Knight's way (JASA 61, 1966), n log^2 n.

    >>> round(kendall([1, 2, 3, 4], [1, 3, 2, 4]), 3)
    0.667
    >>> kendall([1, 1, 2], [3, 3, 9])
    1.0
    >>> kendall([1, 2], [5, 5])
    nan
    """
    first, second = (_places(values) for values in _pair(measured, predicted))
    order = np.lexsort((second, first))
    pairs = len(first) * (len(first) - 1) // 2
    tied = [_tied_pairs(first), _tied_pairs(second)]
    tied_in_both = _tied_pairs(first * (second.max(initial=0) + 1) + second)
    scale = np.sqrt(float(pairs - tied[0]) * float(pairs - tied[1]))
    if not scale:
        return float("nan")
    return float((pairs - sum(tied) + tied_in_both - 2 * _inversions(second[order])) / scale)


def spearman(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's rho: correlation of the ranks, equal values sharing their mean rank.

    >>> round(spearman([1, 2, 3], [10, 30, 20]), 3)
    0.5
    """
    ranks = [_mean_ranks(values) for values in _pair(measured, predicted)]
    scale = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / scale if scale else float("nan")


def rmse(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared error, in the unit of what was measured.

    >>> rmse([0.5, 1.0], [0.75, 0.75])
    0.25
    """
    known, found = _pair(measured, predicted)
    return float(np.sqrt(np.mean((found - known) ** 2))) if len(known) else float("nan")


def rmspe(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared relative error, a fraction of what was measured.

    >>> rmspe([10, 10], [11, 9])
    0.1
    """
    errors = relative_errors(measured, predicted)
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")


def mape(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute relative error, a fraction of what was measured.

    >>> mape([10, 10], [12, 10])
    0.1
    """
    errors = relative_errors(measured, predicted)
    return float(np.mean(np.abs(errors))) if len(errors) else float("nan")


def within(measured: ArrayLike, predicted: ArrayLike, share: float) -> float:
    """Fraction of predictions whose relative error is at most `share`.

    >>> within([10, 10], [10.4, 12], 0.05)
    0.5
    """
    errors = relative_errors(measured, predicted)
    return float(np.mean(np.abs(errors) <= share)) if len(errors) else float("nan")


def relative_errors(measured: ArrayLike, predicted: ArrayLike) -> Floats:
    """`(predicted - measured) / measured`, `(n,)`; `ValueError` where a measured value is not positive."""
    known, found = _pair(measured, predicted)
    if (known <= 0).any():
        place = int(np.argmax(known <= 0))
        raise ValueError(f"a relative error needs measured values above 0, value {place} is {known[place]:g}")
    return (found - known) / known


def _pair(measured: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    known, found = np.asarray(measured, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if known.ndim != 1 or known.shape != found.shape:
        raise ValueError(f"expected two arrays of one shape (n,), got {known.shape} and {found.shape}")
    wrong = np.flatnonzero(~np.isfinite(known) | ~np.isfinite(found))
    if len(wrong):
        raise ValueError(f"expected finite values, pair {wrong[0]} is {known[wrong[0]]:g} and {found[wrong[0]]:g}")
    return known, found


def _places(values: Floats) -> NDArray[np.int64]:
    """Place of each value among the distinct ones, from 0."""
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _mean_ranks(values: Floats) -> Floats:
    """Rank of each value less the mean of all ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - 1 + ends - counts) / 2 - (len(values) - 1) / 2
    return np.asarray(ranks[places], dtype=np.float64)


def _tied_pairs(places: NDArray[np.int64]) -> int:
    counts = np.unique(places, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def _inversions(places: NDArray[np.int64]) -> int:
    """Pairs in which the larger comes first: bit by bit, among those equal in all higher bits."""
    total = 0
    for bit in range(int(places.max(initial=0)).bit_length()):
        order = np.argsort(places >> (bit + 1), kind="stable")
        group, one = (places >> (bit + 1))[order], (places >> bit & 1)[order]
        ones_before = np.cumsum(one) - one
        ones_before -= ones_before[np.searchsorted(group, group)]
        total += int((ones_before * (1 - one)).sum())
    return total
