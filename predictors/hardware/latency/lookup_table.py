"""Tables of times that were measured operator by operator, as a sum that is ready without any network.

A CSV with the columns `operator` and `milliseconds`. Operators are named as the columns of the features that it is
asked with: those of `operator_shapes`, or the user's own names for plain counts.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from predictors.core.conformal import cross_conformal
from predictors.hardware.latency.predictor import COVERAGE, Floats, LatencyPrediction, read_features, read_figures
from search_spaces.core.errors import NotFound, WrongUse, did_you_mean, shown

OPERATOR, MILLISECONDS = "operator", "milliseconds"
CONSTANT = "constant"
"""The name of a row whose time every network takes once."""


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
    """|log(measured / predicted)| of the networks calibrated with."""

    @classmethod
    def read(cls, path: Path) -> "LookupTable":
        """From a CSV; `NotFound`, or `WrongUse` with line and column where it is not as said above."""
        if not path.is_file():
            raise NotFound(f"no file {path}; expected a CSV with the columns {OPERATOR},{MILLISECONDS}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            names = rows.fieldnames or []
            for wanted in (OPERATOR, MILLISECONDS):
                if wanted not in names:
                    hint = did_you_mean(wanted, names)
                    raise WrongUse(f"{path}: no column '{wanted}' among {', '.join(map(shown, names))}{hint}")
            times: dict[str, float] = {}
            for row in rows:
                where = f"{path}, line {rows.line_num}"
                name = (row[OPERATOR] or "").strip()
                if not name or name in times:
                    raise WrongUse(f"{where}: an operator has one row and a name, got {shown(name)} again or empty")
                times[name] = _time(row[MILLISECONDS], where)
        if not times.keys() - {CONSTANT}:
            raise WrongUse(f"{path}: no operators; expected a row each")
        return cls({name: time for name, time in times.items() if name != CONSTANT}, times.get(CONSTANT, 0.0))

    def predict(self, features: ArrayLike, columns: Sequence[str], coverage: float = COVERAGE) -> LatencyPrediction:
        """Of networks by their counts `(m, f)` of the operators that `columns` names.

        `WrongUse` where a network has an operator that the table lacks.
        """
        mean = self.factor * self._sums(features, columns)
        nothing = np.zeros(len(mean), dtype=bool)
        if not self.ratios:
            return LatencyPrediction(mean, np.zeros(len(mean)), np.full(len(mean), np.inf), nothing)
        one_fold: NDArray[np.intp] = np.zeros(len(self.ratios), dtype=np.intp)
        low, high = cross_conformal(np.log(mean)[None], one_fold, np.array(self.ratios), coverage)
        return LatencyPrediction(mean, np.exp(low), np.exp(high), nothing)

    def calibrate(self, features: ArrayLike, columns: Sequence[str], measured: ArrayLike) -> "LookupTable":
        """A new one whose factor is the median of measured / summed of whole networks `(n, f)`, `(n,)`.

        The interval is then that of split conformal prediction, but for the one factor, which is learnt from the same.
        """
        sums = self._sums(features, columns)
        known = read_figures(measured, len(sums))
        if not len(sums):
            raise WrongUse("a lookup table is calibrated with at least one measured network, got none")
        factor = float(np.median(known / sums))
        return replace(self, factor=factor, ratios=tuple(np.abs(np.log(known / (factor * sums))).tolist()))

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
        sums = self.constant + rows @ np.array([self.milliseconds.get(name, 0.0) for name in columns])
        if (sums <= 0).any():
            raise WrongUse(f"network {int(np.argmax(sums <= 0))} takes no time by the table; count its operators")
        return np.asarray(sums, dtype=np.float64)


def _time(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise WrongUse(f"{where}, column {MILLISECONDS}: expected a number of 0 or more, got {shown(text or '')}")
    return value
