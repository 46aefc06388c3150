"""A run at one moment, from which every document is made."""

from asyncio import Task
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.reporting.history import History
from nas.reporting.run_view import DOMINATED, FAILED, FRONT, OVER_BUDGET
from nas.run import PICKS, StoredRun, place_of
from nas.service.live.trial_table import TrialTable
from nas.storage.store import RunRecord, RunState
from search_spaces.core.errors import NotFound

if TYPE_CHECKING:
    from nas.service.live.answers import Answer


@dataclass(frozen=True, eq=False)
class Moment:
    """What a run was when it was read last. Nothing in it changes, so that any thread may read it.

    `front` holds the members' numbers, best first; `knee` is None for an empty one. `within` tells of every trial
    whether it is within the budget. `trials_per_second` is how fast they came lately, None where that is not known.
    """

    run: StoredRun
    record: RunRecord
    state: RunState
    table: TrialTable
    within: NDArray[np.bool_]
    front: NDArray[np.int64]
    knee: int | None
    hypervolume: float
    history: History
    trials_per_second: float | None
    kept: "dict[Hashable, Task[Answer]]" = field(default_factory=dict)
    """The documents that were made of this moment already, or are being made, by name."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name

    @property
    def best(self) -> int | None:
        """The number of the best by the first objective; None for an empty front."""
        return int(self.front[0]) if len(self.front) else None

    @property
    def marked(self) -> Mapping[str, int | None]:
        """The numbers of 'best' and 'knee'."""
        return dict(zip(PICKS, (self.best, self.knee), strict=True))

    @cached_property
    def kinds(self) -> list[str]:
        """For each trial: front, dominated, over budget or failed."""
        on_front = np.isin(self.table.numbers, self.front)
        kinds = np.where(on_front, FRONT, np.where(self.within, DOMINATED, OVER_BUDGET))
        found: list[str] = np.where(self.table.complete, kinds, FAILED).tolist()
        return found

    @cached_property
    def metric_columns(self) -> list[str]:
        """The metrics that any trial has, objectives first."""
        objectives = [o.column for o in self.run.parts.objectives if o.column in self.table.metrics]
        return list(dict.fromkeys([*objectives, *self.table.metrics]))

    def id_of(self, pick: str) -> str:
        """The id of the network that `pick` means; errors as `row_of`."""
        return self.table.ids[self.row_of(pick)]

    def row_of(self, pick: str) -> int:
        """Where the trial stands that `pick` means: best, knee, an id or the start of one, or a number.

        `NotFound` where nothing is meant, several are, or the front is empty.
        """
        if pick not in PICKS:
            return place_of(pick, self.name, self.table.ids, self.table.numbers.tolist())
        number = self.marked[pick]
        if number is None:
            raise NotFound(f"the front of run '{self.name}' is empty: no trial is complete and within the budget")
        return int(self.table.rows_of(np.asarray([number]))[0])
