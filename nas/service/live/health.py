"""How well a search goes: what the budget admits, what failed, how good predictors are, where time went."""

from collections import Counter
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.feasibility import survey
from nas.front_latency import measured_front
from nas.reporting.catalogue import strategy_title
from nas.reporting.predictors import predictor_document
from nas.run import StoredRun
from nas.storage.sheet import LATENCY
from search_spaces.core.errors import FitnasError

if TYPE_CHECKING:
    from nas.service.live.moment import Moment


class Facts:
    """What does not change while a run goes on and takes a moment to find: found when it is first asked for."""

    def __init__(self, run: StoredRun) -> None:
        self._run = run

    @cached_property
    def share_feasible(self) -> float | None:
        """Of a sample of the space the share that the budget admits, by exact and predicted figures; None where that
        cannot be told.
        """
        try:
            return survey(self._run.parts.pricer, self._run.config.seed).share
        except FitnasError:
            return None

    @cached_property
    def predictors(self) -> list[dict[str, Any]]:
        """The run's predictors, and how well each knows the networks that it learnt from."""
        return [
            predictor_document(each, each.cross_validated(), each.column) | {"column": each.column}
            for each in self._run.parts.predictors
        ]


def health(moment: "Moment") -> dict[str, Any]:
    """How well a search goes: what the budget admits, what failed and why, how good predictors are, where time went.

    `share_feasible`: of a sample of the space, by exact and predicted figures; None where that cannot be told.
    """
    run, table = moment.run, moment.table
    failures = Counter(table.errors[number] for number in table.numbers[~table.complete].tolist()).most_common()
    return {
        "evaluated": len(table),
        "kinds": dict(Counter(moment.kinds)),
        "share_feasible": moment.facts.share_feasible,
        "failures": [{"error": message, "count": count} for message, count in failures],
        "predictors": [each | _extrapolated(moment, each["column"]) for each in moment.facts.predictors],
        "rejected": int(table.rejected.sum()),
        "promised_and_measured": _promised_and_measured(moment),
        "seconds_an_evaluation": float(table.seconds.mean()) if len(table) else None,
        "strategy": strategy_title(run.config.strategy),
        "overhead": _overhead(moment),
    }


def _extrapolated(moment: "Moment", column: str) -> dict[str, int]:
    """How many networks are unlike all that a predictor learnt from."""
    return {"extrapolated": int(np.nansum(moment.table.column(f"{column}_extrapolated")))}


def _promised_and_measured(moment: "Moment") -> list[dict[str, Any]]:
    """Networks whose latency was predicted, and measured after the search."""
    ids = {identifier: row for row, identifier in enumerate(moment.table.ids)}
    latencies = moment.table.column(LATENCY)
    return [
        {"id": identifier, "promised_ms": float(latencies[ids[identifier]]), "measured_ms": measured.value}
        for identifier, measured in measured_front(moment.run).items()
        if identifier in ids and np.isfinite(latencies[ids[identifier]])
    ]


def _overhead(moment: "Moment") -> dict[str, Any]:
    """Seconds from the run's creation to its last change beside those that evaluations took, summed over workers."""
    record = moment.record
    wall = datetime.fromisoformat(record.updated) - datetime.fromisoformat(record.created)
    return {
        "wall_seconds": wall.total_seconds(),
        "evaluation_seconds": round(float(moment.table.seconds.sum()), 3),
        "workers": moment.run.config.workers,
    }
