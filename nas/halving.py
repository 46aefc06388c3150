"""Asynchronous successive halving for several objectives: who trains on beyond a rung.

Sources: ASHA (Li et al., arXiv 1810.05934) for rungs without barriers; its multi-objective form (Schmucker et al.,
arXiv 2106.12639) for ranking a rung by non-dominated rank, then crowding distance. Unlike there, a trial is compared
with the trials below its number less the lag alone, all of which are finished: so the decision does not depend on who
is faster, and neither does the archive.
"""

import math
from collections.abc import Mapping, Sequence

from nas.core.fidelity import Fidelity
from nas.core.objective import Objective, oriented_table
from nas.core.trial import Trial
from nas.strategies.evolution import best_rows

ACCURACY = "top1"
_ENDS = 2  # the first trials of a search are the smallest and the largest network: the ends of the front


class Halving:
    """Decides at each rung of a fidelity."""

    def __init__(self, fidelity: Fidelity, objectives: Sequence[Objective]) -> None:
        self.fidelity = fidelity
        self.objectives = tuple(objectives)

    def goes_on(self, metrics: Mapping[str, float], peers: Sequence[Trial], number: int) -> bool:
        """Whether the evaluation of trial `number` trains on, given the finished trials it is compared with.

        It does where it is among the best share of its rung, itself counted, rounded up. Where nobody has reached that
        rung there is nothing to choose by: the first two trials go on, and of the others the share by number (of 1, 3,
        9 epochs every third trial from 1 to 3, every ninth to 9). `metrics` hold `epochs` and the rung's accuracy.
        After the last rung the answer is no.
        """
        rung = int(metrics["epochs"])
        if rung >= self.fidelity.epochs:
            return False
        column = self.fidelity.column(rung)
        rows = [self._values(trial.metrics, column) for trial in peers if column in trial.metrics]
        if not rows:
            chosen = number < _ENDS or number % self.fidelity.share_of_all(rung) == 0
            return chosen and not math.isnan(metrics.get(column, math.nan))
        rows.append(self._values(metrics, column))
        count = math.ceil(len(rows) * self.fidelity.share(rung))
        table = oriented_table(rows, self.objectives)
        return len(rows) - 1 in best_rows(table, (table == table).all(axis=1), count)

    def _values(self, metrics: Mapping[str, float], column: str) -> list[float]:
        """The objectives as they stood at the rung."""
        return [metrics.get(column if o.column == ACCURACY else o.column, math.nan) for o in self.objectives]
