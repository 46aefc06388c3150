"""A search from its configuration to its front: data, budget, supernet, conductor, exports."""

import functools
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.anchors import Source, anchor_weights, keep_anchors, resolved_options
from nas.assembly import RUNS, SUPERNET, TABLE, ZERO_COST, Parts, assemble, strategy_class
from nas.conductor import Conductor, Event, StopReason
from nas.config import RunConfig
from nas.core.objective import Objective
from nas.core.pareto import Reference
from nas.core.per_patch import MOST_BITS
from nas.core.trial import Trial
from nas.device_predictor import save_predictors
from nas.execution import backend_class
from nas.execution.backend import Accounting, Backend, Settings, usable_cores
from nas.feasibility import Feasibility, ends_that_fit, least_figures, survey
from nas.front_latency import measure_front
from nas.gate import Gate
from nas.measuring import Measuring, known_results, measuring, proxy_ends, shared_bytes
from nas.pricing import BOUNDED_COLUMNS, EXACT_COLUMNS
from nas.progress import Reporter, Silent
from nas.run import StoredRun
from nas.shared_weights import check_sampling, take_supernet
from nas.storage.database import sqlite_url
from nas.storage.run_directory import RunDirectory
from nas.storage.store import RunState, Store
from nas.tracking import parse_sinks, sink_class
from nas.tracking.tracker import Tracker
from nas.training.data import DataDescription, describe, load, skipped_lines
from search_spaces.core.errors import FitnasError
from search_spaces.core.registry import space_class

if TYPE_CHECKING:
    from nas.training.data import Pictures


@dataclass(frozen=True)
class Outcome:
    """How a search ended, and where its time went; `accounting` is None where nothing was left to evaluate."""

    run: StoredRun
    reason: StopReason
    conclusion: str
    seconds: float
    supernet_seconds: float = 0.0
    accounting: Accounting | None = None


@dataclass(frozen=True)
class Admitted:
    """What a budget admits of a space, for some data or the space's published input."""

    config: RunConfig
    parts: Parts
    feasibility: Feasibility


@dataclass(frozen=True)
class Prepared(Admitted):
    """Everything known before anything is written: data, parts, and what the budget admits.

    `anchors`: trained networks that the configuration names.
    """

    description: DataDescription
    anchors: Sequence[Source] = ()


def admit(config: RunConfig, root: Path = RUNS, reporter: Reporter | None = None) -> Admitted:
    """Resolves every name for the space's published input, prices a sample. `Infeasible` where nothing fits."""
    options, _ = resolved_options(space_class(config.space_name), config.set, root)
    parts = assemble(config, None, options)
    _check(parts, config, reporter or Silent())
    return Admitted(config, parts, survey(parts.pricer, config.seed, parts.gate, reporter))


def prepare(config: RunConfig, root: Path = RUNS, reporter: Reporter | None = None) -> Prepared:
    """Reads the data's headers, resolves every name, prices a sample. `Infeasible` where nothing fits.

    Runs that trained networks are named from lie in `root`.
    """
    description = describe(config.data)
    options, anchors = resolved_options(space_class(config.space_name), config.set, root)
    parts = assemble(config, description.facts, options)
    _check(parts, config, reporter or Silent())
    return Prepared(config, parts, survey(parts.pricer, config.seed, parts.gate, reporter), description, anchors)


def _check(parts: Parts, config: RunConfig, reporter: Reporter) -> None:
    """What cannot serve a search is told before a network is measured and a folder is made."""
    if parts.evaluator == TABLE:
        known_results(parts.space, config)
    if parts.evaluator == SUPERNET and not config.supernet_from:
        check_sampling(parts.space, parts.sampling)
    if config.distill:
        from nas.training.stored_logits import Manifest

        Manifest.read(Path(config.distill))
    for name in parse_sinks(config.tracking):
        sink_class(name).check()
    for line in parts.notes():
        reporter.note(line)


def start(prepared: Prepared, reporter: Reporter, root: Path = RUNS, force: bool = False) -> Outcome:
    """A new run: writes its folder and searches."""
    parts, description = prepared.parts, prepared.description
    other = StoredRun(RunDirectory.open(root, prepared.config.supernet_from)) if prepared.config.supernet_from else None
    from_scratch = parts.evaluator == SUPERNET and other is None
    anchors = anchor_weights(parts.space, prepared.anchors, prepared.config.seed) if from_scratch else []
    directory = RunDirectory.create(root, prepared.config.run, prepared.config.space, force=force)
    with directory.lock():
        table, distill = (_absolute(path) for path in (prepared.config.table, prepared.config.distill))
        config = prepared.config.updated(
            run=directory.name,
            data=description.source,
            runtime=parts.runtime,
            table=table,
            distill=distill,
            predictor=[str(Path(path).absolute()) for path in prepared.config.predictor or ()],
            evaluator=parts.evaluator,
            proxy=parts.proxy,
            sampling=parts.sampling if from_scratch else None,
        )
        run = StoredRun(directory)
        save_predictors(parts.predictors, directory.predictor)
        parts = parts.remembering(directory.slow_figures)
        if other is not None:
            take_supernet(parts.space, run, other)
        directory.write_environment()
        proxied = functools.partial(_proxy_ends, prepared, run, reporter)
        with Store(config.store or sqlite_url(directory.database)) as store:
            space = {"facts": asdict(description.facts), "settings": parts.space.settings.model_dump(mode="json")}
            store.create_run(
                directory.name,
                config_json=config.model_dump_json(exclude_none=True),
                space_json=json.dumps(space),
                reference_json=json.dumps(reference(parts, prepared.feasibility, reporter, proxied).to_dict()),
                data_hash=description.hash,
            )
        directory.write(directory.config, config.to_toml())
        keep_anchors(run, anchors)
        return _Search(run, description, prepared.feasibility, reporter).go()


def _absolute(path: str | None) -> str | None:
    """So that a search can be resumed from another folder."""
    return str(Path(path).absolute()) if path else None


def resume(run: StoredRun, reporter: Reporter) -> Outcome:
    """Goes on with an interrupted run from its last recorded trial. `WrongUse` where its data has changed."""
    with run.directory.lock():
        description = run.described_data()
        return _Search(run, description, survey(run.parts.pricer, run.config.seed), reporter).go()


def reference(
    parts: Parts,
    feasibility: Feasibility,
    reporter: Reporter | None = None,
    proxied: Callable[[], tuple[float, float]] | None = None,
) -> Reference:
    """The hypervolume's box: from the space's least figures and accuracy 1 to the budgets, else the space's largest
    figures layer by layer, and chance accuracy. Measured speed: from the smallest network's to the budget, else to the
    largest one's, both within the exact limits. Predicted figures: likewise, of those sampled too. A proxy's score:
    what `proxied` finds, see `nas.measuring.proxy_ends`.
    """
    least = least_figures(parts.pricer)
    largest = parts.pricer.of_largest()
    ideal, worst = [], []
    for objective in parts.objectives:
        column = objective.column
        if column in EXACT_COLUMNS:
            ideal.append(float(least[column].min()) * _least_share(parts, column))
            worst.append(max(ideal[-1], float(parts.budget.limits.get(column, largest[column]))))
        elif column in parts.pricer.predicted:
            known = _known(parts, feasibility, column, largest[column])
            ideal.append(min(known))
            worst.append(max(ideal[-1], parts.budget.limits.get(column, max(known))))
        elif parts.gate is not None and column in parts.gate.whose:
            with parts.gate.shown(reporter or Silent()) as gate:
                best, last = _measured_ends(parts, gate, feasibility, objective)
            ideal.append(best)
            worst.append(last)
        elif parts.evaluator == ZERO_COST and proxied is not None:
            best, last = proxied()
            ideal.append(best)
            worst.append(last)
        else:
            ideal.append(1.0)
            worst.append(1.0 / parts.space.settings.classes)
    return Reference(tuple(ideal), tuple(worst))


def _least_share(parts: Parts, column: str) -> float:
    """How much of a figure in 8 bits is left with the fewest bits that patches may have."""
    if parts.patch_bits is None or column not in BOUNDED_COLUMNS:
        return 1.0
    return min(parts.patch_bits.bits) / MOST_BITS


def _known(parts: Parts, feasibility: Feasibility, column: str, largest: float) -> list[float]:
    """A predicted figure of the ends of the space and of all that was sampled, where something is known of them."""
    ends = parts.space.population(parts.space.extremes()[:1])
    ends = ends if feasibility.found is None else ends.concatenate(feasibility.found)
    figures = [largest, *parts.pricer(ends)[column].tolist(), *feasibility.columns[column].tolist()]
    return [figure for figure in figures if math.isfinite(figure)]


def _measured_ends(parts: Parts, gate: Gate, feasibility: Feasibility, objective: Objective) -> tuple[float, float]:
    """The better and the worse end of what is measured; where there is a limit only the smallest network is."""
    ends = ends_that_fit(parts.pricer, feasibility)
    limit = parts.budget.limits.get(objective.column)
    if limit is None:
        found = gate(ends)[objective.column].tolist()
    else:
        found = [*gate(ends[:1])[objective.column].tolist(), limit]
    # the limit may be beyond what was measured, and noise may make the larger network the faster one
    found.sort(key=objective.oriented)
    return found[0], limit or found[-1]


def _proxy_ends(prepared: Prepared, run: StoredRun, reporter: Reporter) -> tuple[float, float]:
    parts, seed = prepared.parts, prepared.config.seed
    pictures = _read(prepared.description, run, parts, seed, reporter)
    return proxy_ends(parts, seed, prepared.feasibility, pictures, reporter)


def _read(description: DataDescription, run: StoredRun, parts: Parts, seed: int, reporter: Reporter) -> "Pictures":
    """The pictures that a search sees, at the space's largest resolution."""
    size = parts.space.input_size(parts.space.extremes()[1])[1:]
    with reporter.progress("reading pictures") as report:
        return load(description, size, seed, cache=run.cache, progress=lambda done, total: report(done, total, ""))


def workers_of(parts: Parts, config: RunConfig) -> int:
    """How many evaluate at once.

    Speed is measured while others evaluate: unless `--workers` says otherwise, it has processors of its own.
    """
    reserved = config.speed_setup.threads if parts.gate else 0
    return min(config.workers or max(usable_cores() - reserved, 1), config.lag + 1, config.trials)


class _Search:
    """The part of a search that a new and a resumed run share."""

    def __init__(
        self, run: StoredRun, description: DataDescription, feasibility: Feasibility, reporter: Reporter
    ) -> None:
        self.run, self.description, self.feasibility, self.reporter = run, description, feasibility, reporter
        self.config, self.parts = run.config, run.parts
        self.tracker = Tracker(parse_sinks(self.config.tracking), run.tracking, run.name, "search")
        self.tracker.configuration(self.config.shareable().to_toml())
        self.began = time.monotonic()

    def go(self) -> Outcome:
        """Searches and leaves the run's state in the store, whatever happens."""
        with self.run.store() as store:
            try:
                outcome = self._search(store)
                store.set_state(self.run.name, _state_of(outcome.reason))
            except Exception:
                self._mark(store, "failed")
                raise
            except BaseException:
                self._mark(store, "interrupted")
                raise
            finally:
                self.tracker.close()
        return outcome

    def _mark(self, store: Store, state: RunState) -> None:
        try:
            store.set_state(self.run.name, state)
        except FitnasError as error:
            # the first error is raised already; a store that fails as well must not hide it
            self.reporter.note(f"the run's state could not be written: {error}")

    def _search(self, store: Store) -> Outcome:
        recorded = store.trials(self.run.name)
        if len(recorded) >= self.config.trials:
            self._export()
            measure_front(self.run, self.reporter)
            return Outcome(self.run, StopReason.TRIALS, StopReason.TRIALS.value, time.monotonic() - self.began)
        self.tracker.trials(recorded)
        pictures = self._pictures()
        backend = self._backend()
        with backend.warming_up(shared_bytes(self.run, pictures)):
            store.set_state(self.run.name, "training")
            began = time.monotonic()
            how = measuring(self.run, pictures, self.description, self.feasibility, self.reporter, self.tracker)
            trained = time.monotonic() - began
            store.set_state(self.run.name, "searching")
            conductor = self._conductor(store, recorded, how)
            accounting = backend.run(conductor, how.make)
        self._export()
        reason = conductor.reason or StopReason.TRIALS
        if reason not in (StopReason.INTERRUPTED, StopReason.TERMINATED):
            measure_front(self.run, self.reporter)
        return Outcome(self.run, reason, conductor.conclusion, time.monotonic() - self.began, trained, accounting)

    def _pictures(self) -> "Pictures":
        pictures = _read(self.description, self.run, self.parts, self.config.seed, self.reporter)
        for line in [*skipped_lines(pictures.skipped), *pictures.notes]:
            self.reporter.note(f"data: {line}")
        document = {
            **self.description.to_json(),
            "imbalanced": self.description.imbalanced,
            "mean": list(pictures.mean),
            "std": list(pictures.std),
            "counts": {part: list(counts) for part, counts in pictures.counts.items()},
            "split_hash": pictures.hash,
        }
        self.run.directory.write(self.run.data_path, json.dumps(document, indent=2) + "\n")
        return pictures

    def _conductor(self, store: Store, recorded: list[Trial], how: Measuring) -> Conductor:
        parts, config = self.parts, self.config

        def told(event: Event) -> None:
            how.tidy(event, conductor.front)
            self.reporter.event(event)
            self.tracker.told(event)

        conductor = Conductor(
            parts.space,
            how.strategy(
                strategy_class(config.strategy)(
                    parts.space,
                    parts.objectives,
                    config.trials,
                    parts.budget,
                    parts.pricer,
                    parts.measure
                    and parts.measure.until(lambda: conductor.is_over()).telling(lambda a: conductor.measuring(a)),
                    self.run.reference,
                )
            ),
            how.price(parts.pricer),
            objectives=parts.objectives,
            record=functools.partial(store.record, self.run.name),
            trials=config.trials,
            budget=parts.budget,
            runtime=parts.runtime,
            reference=self.run.reference,
            seed=config.seed,
            recorded=recorded,
            deadline=self.began + config.time if config.time else None,
            lag=config.lag,
            on_event=told,
            halving=how.halving,
            measure=parts.gate,
            bounded=BOUNDED_COLUMNS if parts.patch_bits else (),
        )
        return conductor

    def _backend(self) -> Backend:
        """Who evaluates, and how many at once; a table is read faster than it is sent to a worker."""
        config = self.config
        name = config.backend or ("inline" if self.parts.evaluator == TABLE else "ray_tune")
        return backend_class(name)(Settings(workers=workers_of(self.parts, config), ray_address=config.ray_address))

    def _export(self) -> None:
        from nas.storage.exports import write_front, write_trials

        run, parts = self.run, self.parts
        write_front(run.directory.front, run.pareto, runtime=parts.runtime, budget=parts.budget, run=run.name)
        write_trials(run.directory.trials, run.trials, run=run.name)


def _state_of(reason: StopReason) -> RunState:
    if reason is StopReason.DEADLINE:
        return "stopped"
    return "complete" if reason.complete else "interrupted"
