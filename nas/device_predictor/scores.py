"""How well networks are predicted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.core.scores import kendall, mape, rmspe, within

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """How well networks are predicted: relative errors are fractions of what was measured.

    `interval`: the median width of the interval up and down, as a fraction, infinite where none is known; `covered`:
    the share of measurements inside of it, None where each network was predicted from the others, or none is known.
    `outliers`: ids of those far off. `extrapolated`: how many are unlike those learnt from.
    """

    networks: int
    kendall: float
    rmspe: float
    mape: float
    within_5_percent: float
    within_10_percent: float
    interval: float
    covered: float | None
    outliers: Sequence[str]
    extrapolated: int


def scores_of(
    ids: Sequence[str],
    measured: Floats,
    predicted: Floats,
    ends: tuple[Floats, Floats],
    covered: float | None,
    far: Bools,
    extrapolated: int,
) -> Scores:
    """Of networks `(n,)`; `ends` of their intervals, `far`: which are called outliers."""
    low, high = ends
    known = np.isfinite(high).all()
    return Scores(
        len(measured),
        kendall(measured, predicted),
        rmspe(measured, predicted),
        mape(measured, predicted),
        within(measured, predicted, 0.05),
        within(measured, predicted, 0.10),
        float(np.median(np.sqrt(high / low) - 1)) if known else float("inf"),
        covered,
        [ids[row] for row in np.flatnonzero(far).tolist()],
        extrapolated,
    )
