"""A search from its configuration to its front: data, budget, supernet, conductor, exports."""

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nas.assembly import Parts, assemble, strategy_class
from nas.conductor import Conductor, Event, StopReason
from nas.config import RunConfig
from nas.core.pareto import Reference
from nas.feasibility import Feasibility, least_figures, survey
from nas.pricing import EXACT_COLUMNS
from nas.run import Run
from nas.storage.run_directory import RunDirectory
from nas.storage.store import RunState, Store, sqlite_url
from nas.training.data import DataDescription, describe
from search_spaces.core.errors import NotFound, WrongUse

if TYPE_CHECKING:
    from nas.training.data import Pictures

RUNS = Path("runs")
DEFAULT_STEPS = 600
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 30
_BATCH = 64


class Reporter(Protocol):
    """Who is told how a search goes; see `nas.cli.reporter`. All methods are cheap and never fail."""

    def note(self, text: str) -> None:
        """A sentence worth reading."""

    def progress(self, what: str) -> AbstractContextManager[Callable[[int, int, str], None]]:
        """A bar for one long step: the function is called with (done, total, remark)."""

    def event(self, event: Event) -> None:
        """Something happened in the search."""


class Silent:
    """Tells nobody anything."""

    def note(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int, str], None]]:
        """Nothing."""
        yield lambda done, total, remark: None

    def event(self, event: Event) -> None:
        """Nothing."""


@dataclass
class Outcome:
    """How a search ended; `reason` is None where the supernet alone was trained before the time was over."""

    run: Run
    reason: StopReason | None
    conclusion: str
    seconds: float
    supernet_seconds: float
    idle_share: float | None = None
    idle_share_with_start: float | None = None
    workers: int = 1


@dataclass
class Interruption:
    """Lets a signal handler stop whatever runs: before the conductor exists it is remembered."""

    reason: StopReason | None = None
    conductor: Conductor | None = field(default=None, repr=False)

    def stop(self, reason: StopReason) -> None:
        """Stops the search; during supernet training at the next step."""
        self.reason = self.reason or reason
        if self.conductor is not None:
            self.conductor.stop(reason)


@dataclass(frozen=True)
class Prepared:
    """Everything known before anything is written: data, parts, and what the budget admits."""

    config: RunConfig
    description: DataDescription
    parts: Parts
    feasibility: Feasibility


def prepare(config: RunConfig) -> Prepared:
    """Reads the data's headers, resolves every name, prices a sample. `Infeasible` where nothing fits."""
    description = describe(config.data)
    parts = assemble(config, description.facts)
    return Prepared(config, description, parts, survey(parts.pricer, config.seed))


def start(prepared: Prepared, reporter: Reporter, interruption: Interruption, root: Path = RUNS, force: bool = False) -> Outcome:
    """A new run: writes its folder and searches."""
    config, parts = prepared.config, prepared.parts
    directory = RunDirectory.create(root, config.run, config.space, force=force)
    with directory.lock():
        config = config.updated(run=directory.name, data=prepared.description.source)
        if config.supernet_from:
            _take_supernet(config, directory, root, parts)
        directory.write_environment()
        url = config.store or sqlite_url(directory.database)
        with Store(url) as store:
            store.create_run(
                directory.name,
                config_json=config.model_dump_json(exclude_none=True),
                space_json=json.dumps(
                    {
                        "facts": asdict(prepared.description.facts),
                        "settings": parts.space.settings.model_dump(mode="json"),
                    }
                ),
                reference_json=json.dumps(reference(parts).to_dict()),
                data_hash=prepared.description.hash,
            )
        directory.write(directory.config, config.to_toml())
        run = Run(directory)
        return _Search(run, prepared.description, prepared.feasibility, reporter, interruption).go()


def resume(name: str, reporter: Reporter, interruption: Interruption, root: Path = RUNS) -> Outcome:
    """Goes on with an interrupted run from its last recorded trial. `WrongUse` where its data has changed."""
    run = Run(RunDirectory.open(root, name))
    with run.directory.lock():
        description = describe(run.config.data)
        if description.hash != run.record.data_hash:
            raise WrongUse(
                f"the data of run '{name}' ({run.config.data}) has changed since it was started; its trials would not "
                "be comparable: put the old pictures back, or start a new run"
            )
        feasibility = survey(run.parts.pricer, run.config.seed)
        return _Search(run, description, feasibility, reporter, interruption).go()


def reference(parts: Parts) -> Reference:
    """The hypervolume's box: from the space's least figures and accuracy 1 to the budgets, else the largest network's
    figures layer by layer, and chance accuracy.
    """
    least = least_figures(parts.pricer)
    largest = type(parts.pricer)(parts.space, parts.runtime, schedule="none").one(parts.space.extremes()[1])
    ideal, worst = [], []
    for objective in parts.objectives:
        column = objective.column
        if column in EXACT_COLUMNS:
            best = float(least[column].min())
            ideal.append(best)
            worst.append(max(best, float(parts.budget.limits.get(column, largest[column]))))
        else:
            ideal.append(1.0)
            worst.append(1.0 / parts.space.settings.classes)
    return Reference(tuple(ideal), tuple(worst))


def default_epochs(pictures: int) -> int:
    """Supernet epochs: about 600 steps of 64 pictures, at least 5 and at most 30 epochs."""
    steps_an_epoch = max(1, math.ceil(pictures / _BATCH))
    return min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, round(DEFAULT_STEPS / steps_an_epoch)))


def _take_supernet(config: RunConfig, directory: RunDirectory, root: Path, parts: Parts) -> None:
    """Copies the shared weights of another run, which must be of the very same space."""
    other = Run(RunDirectory.open(root, str(config.supernet_from)))
    ours, theirs = parts.space.settings, other.parts.space.settings
    if (other.config.space, theirs) != (config.space, ours):
        raise WrongUse(
            f"--supernet-from {other.name}: its space is {other.config.space} with {theirs}, this search has "
            f"{config.space} with {ours}; give the same space, --set options and kind of data"
        )
    if not other.supernet_path.is_file():
        raise NotFound(f"--supernet-from {other.name}: it has no trained supernet; type: nas resume {other.name}")
    shutil.copyfile(other.supernet_path, directory.checkpoints / other.supernet_path.name)


class _Search:
    """The part of a search that a new and a resumed run share."""

    def __init__(
        self,
        run: Run,
        description: DataDescription,
        feasibility: Feasibility,
        reporter: Reporter,
        interruption: Interruption,
    ) -> None:
        self.run, self.description, self.feasibility = run, description, feasibility
        self.reporter, self.interruption = reporter, interruption
        self.config, self.parts = run.config, run.parts
        self.began = time.monotonic()
        self.deadline = self.began + self.config.time if self.config.time else None

    def go(self) -> Outcome:
        """Loads, trains, searches, exports."""
        with self.run.store() as store:
            try:
                return self._go(store)
            except BaseException:
                # the run stays resumable whatever happened; a full disk must not hide the first error
                self._mark(store, "interrupted" if self.interruption.reason else "failed")
                raise

    def _mark(self, store: Store, state: RunState) -> None:
        from search_spaces.core.errors import FitnasError

        try:
            store.set_state(self.run.name, state)
        except FitnasError as error:
            self.reporter.note(str(error))

    def _go(self, store: Store) -> Outcome:
        from nas.training.supernet_of_run import shared_weights

        recorded = store.trials(self.run.name)
        outcome = Outcome(self.run, None, "", 0.0, 0.0)
        if len(recorded) < self.config.trials:
            pictures = self._pictures()
            store.set_state(self.run.name, "training")
            began = time.monotonic()
            weights = shared_weights(self.run, pictures, self.description, self.feasibility, self.reporter, self.deadline, self.interruption)
            outcome.supernet_seconds = time.monotonic() - began
            store.set_state(self.run.name, "searching")
            conductor = self._conductor(store, recorded)
            self.interruption.conductor = conductor
            if self.interruption.reason is not None:
                conductor.stop(self.interruption.reason)
            self._evaluate(conductor, weights, pictures, outcome)
            outcome.reason, outcome.conclusion = conductor.reason, conductor.conclusion
        else:
            outcome.reason, outcome.conclusion = StopReason.TRIALS, StopReason.TRIALS.value
        self._export()
        store.set_state(self.run.name, _state_of(outcome.reason))
        outcome.seconds = time.monotonic() - self.began
        return outcome

    def _pictures(self) -> "Pictures":
        from nas.training.data import load

        space = self.parts.space
        size = space.input_size(space.extremes()[1])[1:]
        with self.reporter.progress("reading pictures") as report:
            pictures = load(
                self.description,
                size,
                self.config.seed,
                cache=self.run.path / "cache",
                progress=lambda done, total: report(done, total, ""),
            )
        document = {
            **self.description.to_json(),
            "mean": list(pictures.mean),
            "std": list(pictures.std),
            "counts": {part: list(counts) for part, counts in pictures.counts.items()},
            "split_hash": pictures.hash,
        }
        self.run.directory.write(self.run.path / "data.json", json.dumps(document, indent=2) + "\n")
        return pictures

    def _conductor(self, store: Store, recorded: list[Any]) -> Conductor:
        parts, config = self.parts, self.config
        strategy = strategy_class(config.strategy)(parts.space, parts.objectives, config.trials, parts.budget)
        return Conductor(
            parts.space,
            strategy,
            parts.pricer,
            objectives=parts.objectives,
            record=lambda trial: store.record(self.run.name, trial),
            trials=config.trials,
            budget=parts.budget,
            runtime=parts.runtime,
            reference=Reference(**json.loads(store.run(self.run.name).reference_json)),
            seed=config.seed,
            recorded=recorded,
            deadline=self.deadline,
            lag=config.lag,
            on_event=self.reporter.event,
        )

    def _evaluate(self, conductor: Conductor, weights: Mapping[str, Any], pictures: "Pictures", outcome: Outcome) -> None:
        raise NotImplementedError

    def _export(self) -> None:
        from nas.storage.exports import write_front, write_trials

        run = self.run
        write_front(run.directory.front, run.pareto, runtime=self.parts.runtime, budget=self.parts.budget, run=run.name)
        write_trials(run.directory.trials, run.trials, run=run.name)


def _state_of(reason: StopReason | None) -> RunState:
    if reason is None or reason is StopReason.DEADLINE:
        return "stopped"
    return "complete" if reason.complete else "interrupted"


__all__ = ["RUNS", "Interruption", "Outcome", "Reporter", "Silent", "prepare", "reference", "resume", "start"]
_ = np
