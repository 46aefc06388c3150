"""One search as a person holds it afterwards: its front, its members, and what can be done with them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.assembly import Parts, assemble
from nas.config import RunConfig
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.storage.run_directory import RunDirectory, run_directory_at
from nas.storage.store import RunRecord, Store, sqlite_url
from search_spaces.core.errors import NotFound, did_you_mean
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class

if TYPE_CHECKING:
    import pandas as pd

    from nas.training.member import MemberReport

SUPERNET = "supernet.safetensors"
_PICKS = ("best", "knee")


@dataclass(frozen=True)
class Run:
    """A run on disk. Reads its store when asked; `nas.search` and `nas.load` return it."""

    directory: RunDirectory

    @classmethod
    def load(cls, path: str | Path) -> "Run":
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
        record = self.record
        facts = json.loads(record.space_json)
        parts = assemble(self.config, InputFacts(**facts["facts"]))
        space = space_class(self.config.space).restored(facts["settings"])
        pricer = type(parts.pricer)(space, parts.runtime, parts.budget, parts.pricer.schedule, parts.pricer.count_input)
        return Parts(space, parts.device, parts.runtime, parts.budget, parts.objectives, pricer)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The database that holds the run's trials."""
        url = self.config.store or sqlite_url(self.directory.database)
        with Store(url, create=False) as store:
            yield store

    @property
    def record(self) -> RunRecord:
        """What the database knows of the run."""
        with self.store() as store:
            return store.run(self.name)

    @property
    def trials(self) -> list[Trial]:
        """Every recorded trial, by number."""
        with self.store() as store:
            return store.trials(self.name)

    @property
    def pareto(self) -> ParetoFront:
        """The Pareto front of the recorded trials within the budget."""
        reference = Reference(**json.loads(self.record.reference_json))
        return ParetoFront(self.trials, self.parts.objectives, reference, self.parts.budget)

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
        if which in _PICKS:
            return self.best() if which == "best" else self.knee()
        trials = self.trials
        found = [trial for trial in trials if trial.architecture.id == which]
        found = found or [trial for trial in trials if len(which) >= 4 and trial.architecture.id.startswith(which)]
        found = found or [trial for trial in trials if str(trial.number) == which]
        if len(found) != 1:
            ids = [trial.architecture.id for trial in trials]
            what = "several trials begin so" if found else "there is no such trial"
            hint = did_you_mean(which, [*_PICKS, *ids]) or "."
            raise NotFound(f"'{which}' in run '{self.name}': {what}{hint} Give best, knee, a number or an id (nas show {self.name})")
        return found[0]

    def train(self, pick: str = "knee", **options: Any) -> "MemberReport":
        """Trains one member; see `nas.training.member.train_member` for the options."""
        from nas.training.member import train_member

        return train_member(self, pick, **options)

    def export(self, pick: str = "knee", to: str = "pytorch", out: str | Path | None = None, force: bool = False) -> Path:
        """Writes one member for use elsewhere and returns the folder."""
        from nas.deployment import exporter

        trial = self.pick(pick)
        folder = Path(out) if out is not None else self.directory.export / trial.architecture.id
        return exporter(to)(self, trial, folder, force=force)

    def data_document(self) -> Mapping[str, Any]:
        """What the run recorded of its data: source, hash, classes, counts, mean and deviation once known."""
        path = self.path / "data.json"
        if not path.is_file():
            raise NotFound(f"run '{self.name}' has not read its data yet; type: nas resume {self.name}")
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document

    @property
    def supernet_path(self) -> Path:
        """The checkpoint of the shared weights."""
        return self.directory.checkpoints / SUPERNET
