"""Tables of times that were measured operator by operator, as a sum that is ready without any network.

Operators are named as the columns of the features that the table is asked with, such as those of `operator_shapes`.
That a network takes the sum is what ProxylessNAS (Cai, Zhu and Han, ICLR 2019), FBNet (Wu et al., CVPR 2019) and
once-for-all (Cai et al., ICLR 2020) assume of their tables, which are of whole blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.core.conformal import cross_conformal
from predictors.hardware.latency.predictor import (
    COVERAGE,
    Bools,
    Floats,
    LatencyPrediction,
    read_features,
    read_figures,
)
from search_spaces.core.errors import WrongUse, did_you_mean, shown

CONSTANT = "constant"
"""The name of what every network takes once, in files of tables."""


@dataclass(frozen=True)
class LookupTable:
    """Milliseconds of one operator by its name, and of every network beside (`constant`).

    Times measured alone miss what fusing saves and what a runtime adds between operators. `calibrate` with some whole
    networks finds the factor, and the interval: before, that is 0 to infinity.
    """

    milliseconds: dict[str, float]
    constant: float = 0.0
    factor: float = 1.0
    ratios: tuple[float, ...] = ()
    """log(measured / predicted) of the networks calibrated with, each by the factor that the others give."""

    def predict(self, features: ArrayLike, columns: Sequence[str], coverage: float = COVERAGE) -> LatencyPrediction:
        """Of networks by their counts `(m, f)` of the operators that `columns` names.

        `WrongUse` where a network has an operator that the table lacks.
        """
        mean = self.factor * self._sums(features, columns)
        nothing = np.zeros(len(mean), dtype=bool)
        if not self.ratios:
            return LatencyPrediction(mean, np.zeros(len(mean)), np.full(len(mean), np.inf), nothing)
        one_fold: NDArray[np.intp] = np.zeros(len(self.ratios), dtype=np.intp)
        low, high = cross_conformal(np.log(mean)[None], one_fold, np.abs(self.ratios), coverage)
        return LatencyPrediction(mean, np.exp(low), np.exp(high), nothing)

    def calibrate(self, features: ArrayLike, columns: Sequence[str], measured: ArrayLike) -> "LookupTable":
        """A new one whose factor is the median of measured / summed of whole networks `(n, f)`, `(n,)`.

        Of a single network nothing is left to say how far off the factor is: the interval stays 0 to infinity.
        """
        sums = self._sums(features, columns)
        known = read_figures(measured, len(sums))
        if not len(sums):
            raise WrongUse("a lookup table is calibrated with at least one measured network, got none")
        factors = known / sums
        others = [np.median(np.delete(factors, row)) for row in range(len(factors))] if len(factors) > 1 else []
        ratios = np.log(factors[: len(others)] / np.array(others))
        return replace(self, factor=float(np.median(factors)), ratios=tuple(ratios.tolist()))

    def knows(self, features: ArrayLike, columns: Sequence[str]) -> Bools:
        """Which networks `(m,)` the table has a time for: every operator is there, and they do not take 0 together."""
        rows = read_features(features, columns)
        absent = np.array([name not in self.milliseconds for name in columns], dtype=bool)
        return np.asarray(~(rows[:, absent] > 0).any(axis=1) & (self._plain_sums(rows, columns) > 0), dtype=bool)

    def _plain_sums(self, rows: Floats, columns: Sequence[str]) -> Floats:
        """Before the factor; what is not in the table counts as nothing."""
        return np.asarray(self.constant + rows @ np.array([self.milliseconds.get(name, 0.0) for name in columns]))

    def _sums(self, features: ArrayLike, columns: Sequence[str]) -> Floats:
        """Milliseconds `(m,)` before the factor; those of a network without any time are refused."""
        rows = read_features(features, columns)
        lacking = [i for i, name in enumerate(columns) if name not in self.milliseconds and rows[:, i].any()]
        if lacking:
            name = columns[lacking[0]]
            row = int(np.argmax(rows[:, lacking[0]] > 0))
            raise WrongUse(
                f"the table has no time for the operator {shown(name)} of network {row} ({len(lacking)} such in all)"
                f"{did_you_mean(name, self.milliseconds)}; measure it, and add a row"
            )
        sums = self._plain_sums(rows, columns)
        if (sums <= 0).any():
            raise WrongUse(f"network {int(np.argmax(sums <= 0))} takes no time by the table; count its operators")
        return sums
