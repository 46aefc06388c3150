"""What a report, its figures and its tables say of one run, read from the run once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.assembly import Parts
from nas.config import RunConfig
from nas.core.pareto import ParetoFront
from nas.core.trial import Trial
from nas.run import StoredRun
from nas.storage.store import RunRecord

FRONT, DOMINATED, OVER_BUDGET, FAILED = "front", "dominated", "over budget", "failed"


@dataclass(frozen=True)
class TrainedMember:
    """The report of one training: document as in `members/<id>/report.json`, its confusion as an array."""

    id: str
    document: Mapping[str, Any]
    class_names: tuple[str, ...]
    confusion: NDArray[np.int64]


@dataclass(frozen=True)
class RunView:
    """One moment of a run. `damaged` are files of trained members that could not be read."""

    run: StoredRun
    config: RunConfig
    record: RunRecord
    parts: Parts
    trials: tuple[Trial, ...]
    front: ParetoFront
    data: Mapping[str, Any]
    trained: tuple[TrainedMember, ...]
    damaged: tuple[str, ...]

    @classmethod
    def of(cls, run: StoredRun) -> "RunView":
        """Reads the run; a run that is still training or searching is shown as it stands."""
        record, parts, trials = run.record, run.parts, tuple(run.trials)
        front = ParetoFront(trials, parts.objectives, run.reference, parts.budget)
        data = json.loads(run.data_path.read_text(encoding="utf-8")) if run.data_path.is_file() else {}
        trained, damaged = _trained(run.members)
        return cls(run, run.config, record, parts, trials, front, data, trained, damaged)

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """For each trial: front, dominated, over budget or failed."""
        on_front = {trial.number for trial in self.front}
        limits = self.parts.budget.limits
        columns = {column: self.column(column) for column in limits}
        within = self.parts.budget.admits(columns) if limits and self.trials else np.ones(len(self.trials), dtype=bool)
        return tuple(_kind(trial, bool(fits), on_front) for trial, fits in zip(self.trials, within, strict=True))

    def of_kind(self, *kinds: str) -> NDArray[np.intp]:
        """Rows of `trials` of these kinds."""
        return np.flatnonzero(np.isin(self._kinds, kinds))

    @cached_property
    def _kinds(self) -> NDArray[np.str_]:
        return np.asarray(self.kinds, dtype=np.str_)

    def column(self, column: str) -> NDArray[np.float64]:
        """A metric of every trial; NaN where a trial lacks it."""
        return np.asarray([trial.metrics.get(column, np.nan) for trial in self.trials], dtype=np.float64)

    @cached_property
    def metric_columns(self) -> list[str]:
        """The metrics that any trial has, objectives first."""
        found = dict.fromkeys(column for trial in self.trials for column in trial.metrics)
        objectives = [o.column for o in self.parts.objectives if o.column in found]
        return list(dict.fromkeys([*objectives, *found]))

    @cached_property
    def marked(self) -> dict[str, Trial]:
        """'best' and 'knee' of the front; nothing where it is empty."""
        return {"best": self.front.best(), "knee": self.front.knee()} if len(self.front) else {}

    @cached_property
    def choices(self) -> dict[str, list[Any]]:
        """For each choice of the space the option of every trial; None where the choice is inactive in it."""
        names = [choice.name for choice in self.parts.space.choices]
        options = [trial.architecture.options for trial in self.trials]
        return {name: [taken.get(name) for taken in options] for name in names}

    def errors(self) -> list[tuple[str, int]]:
        """What failed trials say, the most frequent first."""
        counts: dict[str, int] = {}
        for trial in self.trials:
            if trial.state == "failed":
                counts[trial.error] = counts.get(trial.error, 0) + 1
        return sorted(counts.items(), key=lambda item: -item[1])


def _kind(trial: Trial, fits: bool, on_front: set[int]) -> str:
    if trial.state == "failed":
        return FAILED
    if trial.number in on_front:
        return FRONT
    return DOMINATED if fits else OVER_BUDGET


def _trained(folder: Path) -> tuple[tuple[TrainedMember, ...], tuple[str, ...]]:
    """The reports of trained members, and the files that are no such reports."""
    found, damaged = [], []
    for path in sorted(folder.glob("*/report.json")) if folder.is_dir() else []:
        try:
            found.append(_member(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError):
            damaged.append(f"{folder.name}/{path.parent.name}/{path.name}")
    return tuple(found), tuple(damaged)


def _member(document: Mapping[str, Any]) -> TrainedMember:
    names: Sequence[str] = [str(name) for name in document["class_names"]]
    confusion = np.asarray(document["confusion"], dtype=np.int64)
    if confusion.shape != (len(names), len(names)):
        raise ValueError(f"expected a confusion of {len(names)} x {len(names)}, got {confusion.shape}")
    for part in ("validation", "test"):
        float(document[f"{part}_top1"])
    return TrainedMember(str(document["id"]), document, tuple(names), confusion)
