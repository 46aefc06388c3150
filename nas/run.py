"""One search as a person holds it afterwards: its front, its members, and what can be done with them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nas.assembly import Parts, assemble_for
from nas.config import RunConfig
from nas.core.names import checked_run_name
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.device_predictor import kept_predictors
from nas.storage.database import sqlite_url
from nas.storage.files import os_errors_explained
from nas.storage.run_directory import HOLDER, RunDirectory, run_directory_at
from nas.storage.store import RunRecord, RunState, Store
from nas.training.data import DataDescription, describe
from search_spaces.core.errors import NotFound, Refused, WrongUse, did_you_mean
from search_spaces.core.registry import space_class

if TYPE_CHECKING:
    import pandas as pd

SUPERNET = "supernet.safetensors"
PICKS = ("best", "knee")
UNFINISHED: tuple[RunState, ...] = ("created", "training", "searching")


@dataclass(frozen=True)
class StoredRun:
    """A run on disk. Reads its store when asked; `nas.api.Run` adds what can be done with it."""

    directory: RunDirectory

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The run in a folder such as `runs/signs`; `NotFound` where there is none."""
        return cls(run_directory_at(Path(path)))

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.directory.path

    @cached_property
    def config(self) -> RunConfig:
        """The resolved configuration."""
        return RunConfig.from_toml(self.directory.config)

    @cached_property
    def parts(self) -> Parts:
        """Space, budget, runtime and objectives of the run, exactly as it was started."""
        recorded = json.loads(self.record.space_json)
        space = space_class(self.config.space_name).restored(recorded["settings"])
        own = [str(folder) for folder in kept_predictors(self.directory.predictor)] if self.config.predictor else None
        return assemble_for(space, self.config.updated(predictor=own)).remembering(self.directory.slow_figures)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The database that holds the run's trials."""
        with self.open_store() as store:
            yield store

    def open_store(self) -> Store:
        """The same, for whoever closes it."""
        return Store(self.config.store or sqlite_url(self.directory.database), create=False)

    @property
    def record(self) -> RunRecord:
        """What the database knows of the run."""
        with self.store() as store:
            return store.run(self.name)

    @property
    def state(self) -> RunState:
        """How far the search came; one whose driver was killed is `interrupted`, whatever it wrote last."""
        return self.state_of(self.record)

    def state_of(self, record: RunRecord) -> RunState:
        """The same for a record that was read already."""
        return "interrupted" if record.state in UNFINISHED and self.directory.was_abandoned() else record.state

    @property
    def trials(self) -> list[Trial]:
        """Every recorded trial, by number."""
        with self.store() as store:
            return store.trials(self.name)

    @property
    def reference(self) -> Reference:
        """The hypervolume's box, frozen when the run started."""
        return Reference(**json.loads(self.record.reference_json))

    @property
    def pareto(self) -> ParetoFront:
        """The Pareto front of the recorded trials within the budget."""
        return ParetoFront(self.trials, self.parts.objectives, self.reference, self.parts.budget)

    @property
    def front(self) -> "pd.DataFrame":
        """The front as a table, best first: a row a member, the columns of `trials.parquet`."""
        from nas.storage.exports import trials_table

        return trials_table(list(self.pareto))

    def best(self) -> Trial:
        """The member with the best first objective."""
        return self.pareto.best()

    def knee(self) -> Trial:
        """The member that is the best compromise."""
        return self.pareto.knee()

    def pick(self, which: str) -> Trial:
        """The trial meant by `best`, `knee`, an id or the start of one, or a trial number.

        `NotFound` where nothing is meant, or several trials are.
        """
        if which in PICKS:
            return self.best() if which == "best" else self.knee()
        trials = self.trials
        numbers = [trial.number for trial in trials]
        return trials[place_of(which, self.name, [trial.architecture.id for trial in trials], numbers)]

    def data_document(self) -> Mapping[str, Any]:
        """What the run recorded of its data: source, hash, classes, counts, mean and deviation by channel."""
        if not self.data_path.is_file():
            raise NotFound(f"run '{self.name}' has not read its data yet; type: nas resume {self.name}")
        document: dict[str, Any] = json.loads(self.data_path.read_text(encoding="utf-8"))
        return document

    def described_data(self) -> DataDescription:
        """The run's data, read anew; `WrongUse` where it is no longer what the run was started with."""
        description = describe(self.config.data)
        if description.hash != self.record.data_hash:
            raise WrongUse(
                f"the data of run '{self.name}' ({self.config.data}) has changed since it was started, so that new "
                "figures cannot be compared with its trials; put the old pictures back, or start a new run"
            )
        return description

    def delete(self) -> int:
        """Removes the run for good and returns the bytes of the files that went.

        Rows in a shared database go first, the folder last: what stops in between leaves a folder that `delete` takes
        up again. `Refused` while a driver works on it, or where the database's run of this name is another one.
        """
        freed = self.directory.size_bytes()
        url = self._shared_store()
        self.directory.delete(first=None if url is None else lambda: self._delete_rows(url))
        return freed

    def rename(self, name: str) -> "StoredRun":
        """Gives the run another name: in its database, its configuration, and its folder last.

        What stops in between is taken up by renaming again. `Refused` while a driver works on it, `WrongUse` where the
        name is taken or not allowed.
        """
        new = RunDirectory(self.directory.path.with_name(checked_run_name(name)))
        if new.path.exists():
            raise WrongUse(f"{new.path} is there already; choose another name")
        with os_errors_explained(self.path, self.name), self.directory.lock():
            config = self.config.updated(run=name)
            with self.store() as store:
                store.rename_run(self.name, name)
            self.directory.write(self.directory.config, config.to_toml())
            self.path.rename(new.path)
        (new.path / HOLDER).unlink(missing_ok=True)
        return StoredRun(new)

    def _shared_store(self) -> str | None:
        """The URL of a database outside the folder; None where all is in it.

        A run with a database of its own has no other, so that it can be deleted with a damaged configuration.
        """
        if self.directory.database.is_file():
            return None
        return self.config.store

    def _delete_rows(self, url: str) -> None:
        try:
            store = Store(url, create=False)
        except NotFound:
            return  # the database is gone, and the rows with it
        with store:
            try:
                record = store.run(self.name)
            except NotFound:
                return  # an earlier deletion stopped after its rows
            if RunConfig.checked(**json.loads(record.config_json)) != self.config:
                raise Refused(
                    f"{store.where} has a run '{self.name}' with another configuration than {self.directory.config}: "
                    "it belongs to another folder. Nothing was deleted; remove this folder by hand if you want to"
                )
            store.delete_run(self.name)

    @property
    def picture_size(self) -> tuple[int, int]:
        """(height, width) at which pictures are decoded: the largest resolution of the space."""
        space = self.parts.space
        return space.input_size(space.extremes()[1])[1:]

    @property
    def members(self) -> Path:
        """`members/`: a folder for each trained member."""
        return self.path / "members"

    @property
    def data_path(self) -> Path:
        """`data.json`: what was read of the data."""
        return self.path / "data.json"

    @property
    def tracking(self) -> Path:
        """`tracking/`: a folder for each place that figures go to; may be deleted at any time."""
        return self.path / "tracking"

    @property
    def cache(self) -> Path:
        """Decoded pictures; may be deleted at any time."""
        return self.path / "cache"

    @property
    def kept_weights(self) -> Path:
        """`checkpoints/trials/`: weights of the front's networks, where they were trained alone in the search."""
        return self.directory.checkpoints / "trials"

    @property
    def supernet_path(self) -> Path:
        """The checkpoint of the shared weights."""
        return self.directory.checkpoints / SUPERNET


def place_of(which: str, run: str, ids: Sequence[str], numbers: Sequence[int]) -> int:
    """The place among trials of these ids and numbers that an id, the start of one or a number means.

    `NotFound` where nothing is meant, or several trials are.
    """
    found = [place for place, one in enumerate(ids) if one == which]
    found = found or [place for place, one in enumerate(ids) if len(which) >= 4 and one.startswith(which)]
    found = found or [place for place, number in enumerate(numbers) if str(number) == which]
    if len(found) != 1:
        what = "several trials begin so" if found else "there is no such trial"
        hint = did_you_mean(which, [*PICKS, *ids]) or "."
        raise NotFound(f"'{which}' in run '{run}': {what}{hint} Give best, knee, a number or an id")
    return found[0]
