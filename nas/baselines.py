"""A joint search of architecture and widths beside its two baselines, with the same shared weights and evaluations.

One searches the architecture in floats, and then makes every network of its front int8, free of charge. The other
takes the largest network as it is, and searches its widths. (SimQ-NAS, arXiv 2312.13301, compares with both.)
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nas.assembly import SUPERNET, strategy_class
from nas.conductor import Conductor, Event, Proposal
from nas.core.objective import Objective, keys_of, parse_objectives
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.measuring import supernet_evaluator
from nas.member import pictures_of
from nas.pricing import EXACT_COLUMNS, Pricer
from nas.progress import Reporter, Silent
from nas.run import StoredRun
from nas.storage.files import check_free
from nas.training.checkpoint import model_arrays
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.policy import INT8
from search_spaces.core.space import SearchSpace

FILE_NAME = "baselines.json"
JOINT, FIRST, ALONE = "joint search", "search, then int8", "widths of the largest"
IN_FLOATS = {"int8_accuracy": "accuracy", "latency": "macs", "bitops": "macs", "energy": "macs"}
"""What a search in floats improves in the place of a metric that belongs to a policy."""

Score = Callable[[Architecture], Mapping[str, float]]


@dataclass(frozen=True)
class Searched:
    """One way's front in the run's objectives: `points` raw, in their order; hypervolume in the run's own box."""

    name: str
    evaluations: int
    hypervolume: float
    points: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Baselines:
    """The joint search first, then both baselines. `objectives`: as `parse_objectives` reads them."""

    objectives: str
    ways: tuple[Searched, ...]

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"objectives": self.objectives, "ways": {way.name: _document(way) for way in self.ways}}

    @classmethod
    def read(cls, run: StoredRun) -> "Baselines | None":
        """Those of a run; None where they were not searched. `FitnasError` for a damaged file."""
        path = run.path / FILE_NAME
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            ways = tuple(
                Searched(name, way["evaluations"], way["hypervolume"], tuple(map(tuple, way["points"])))
                for name, way in found["ways"].items()
            )
            return cls(keys_of(parse_objectives(found["objectives"])), ways)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FitnasError(
                f"{path} is damaged ({error}); search them anew: nas baselines {run.name} --force"
            ) from None


def _document(way: Searched) -> dict[str, Any]:
    return {"evaluations": way.evaluations, "hypervolume": way.hypervolume, "points": [list(p) for p in way.points]}


def search_baselines(run: StoredRun, force: bool = False, reporter: Reporter | None = None) -> Baselines:
    """Searches both baselines with as many evaluations as the run has, and keeps the result in its folder.

    `WrongUse` where the run searched no widths, has no shared weights, or measures something beside accuracy.
    """
    reporter = reporter or Silent()
    space = _checked(run)
    check_free(run.path / FILE_NAME, force)
    pictures = pictures_of(run)
    weights = model_arrays(run.supernet_path)
    quantized, floats = (supernet_evaluator(run, pictures, weights, each)() for each in (space, space.inner))
    bench = _Bench(run, space, reporter)
    joint = bench.way(JOINT, run.trials, len(run.trials))
    first = bench.searched_first(floats.evaluate, quantized.evaluate)
    alone = bench.widths_of_largest(quantized.evaluate)
    found = Baselines(keys_of(run.parts.objectives), (joint, first, alone))
    run.directory.write(run.path / FILE_NAME, json.dumps(found.to_document(), indent=2) + "\n")
    return found


def _checked(run: StoredRun) -> WithQuantization:
    space, parts = run.parts.space, run.parts
    if not isinstance(space, WithQuantization):
        raise WrongUse(f"run '{run.name}' searched no widths; start one with: nas search --quantize fp32,int8 ...")
    if INT8 not in space.widths:
        raise WrongUse(f"run '{run.name}' has no int8 among its widths, which the first baseline ends in")
    if parts.evaluator != SUPERNET:
        raise WrongUse(
            f"run '{run.name}' has no shared weights, with which the baselines are scored: {parts.evaluator}"
        )
    if parts.gate is not None:
        columns = ", ".join(parts.gate.whose)
        raise WrongUse(f"run '{run.name}' measures {columns}; baselines need a predictor: nas search --predictor DIR")
    if not run.trials:
        raise WrongUse(f"run '{run.name}' has no trials yet; type: nas resume {run.name}")
    return space


@dataclass(frozen=True)
class _Bench:
    """The run whose seed, strategy, limits and box all ways share."""

    run: StoredRun
    space: WithQuantization
    reporter: Reporter

    def searched_first(self, in_floats: Score, in_int8: Score) -> Searched:
        """Architectures searched in floats; then the front in int8."""
        parts = self.run.parts
        names = dict.fromkeys(IN_FLOATS.get(objective.key, objective.key) for objective in parts.objectives)
        objectives = parse_objectives(",".join(names))
        pricer = replace(
            parts.pricer, space=self.space.inner, forecast=None, budget=parts.budget.restricted_to(EXACT_COLUMNS)
        )
        box = _box(pricer, objectives, self.space.inner)
        trials = self._searched(FIRST, self.space.inner, pricer, objectives, box, in_floats)
        front = ParetoFront(trials, objectives, box)
        found = []
        for number, trial in enumerate(front):
            one = self.space.uniform(trial.architecture, INT8)
            found.append(Trial.from_results(number, one, {**in_int8(one), **parts.pricer.one(one)}))
        return self.way(FIRST, found, len(trials))

    def widths_of_largest(self, score: Score) -> Searched:
        """Policies of the largest network."""
        parts, alone = self.run.parts, self.space.of_one(self.space.inner.extremes()[1])
        pricer = replace(parts.pricer, space=alone)
        trials = self._searched(ALONE, alone, pricer, parts.objectives, self.run.reference, score)
        return self.way(ALONE, trials, len(trials))

    def way(self, name: str, trials: Sequence[Trial], evaluations: int) -> Searched:
        """What trials came to, in the run's box and within its budget."""
        front = ParetoFront(trials, self.run.parts.objectives, self.run.reference, self.run.parts.budget)
        return Searched(name, evaluations, front.hypervolume, tuple(map(tuple, front.values.tolist())))

    def _searched(
        self,
        name: str,
        space: SearchSpace[Any],
        pricer: Pricer,
        objectives: Sequence[Objective],
        box: Reference,
        score: Score,
    ) -> Sequence[Trial]:
        config, count = self.run.config, len(self.run.trials)
        with self.reporter.progress(name) as report:

            def told(event: Event) -> None:
                if event.trial is not None:
                    report(event.done, event.trials, event.architecture.id)

            conductor = Conductor(
                space,
                strategy_class(config.strategy)(space, objectives, count, pricer.budget, pricer, None, box),
                pricer,
                objectives=objectives,
                record=lambda trial: None,
                trials=count,
                budget=pricer.budget,
                runtime=pricer.runtime,
                reference=box,
                seed=config.seed,
                lag=config.lag,
                on_event=told,
            )
            while isinstance(proposal := conductor.propose(), Proposal):
                conductor.report(proposal.number, score(proposal.architecture), 0.0)
        return conductor.trials


def _box(pricer: Pricer, objectives: Sequence[Objective], space: SearchSpace[Any]) -> Reference:
    """From the smallest network's figures and accuracy 1 to the largest one's and chance."""
    least, most = (pricer.without_budget().one(each) for each in space.extremes())
    columns = [objective.column for objective in objectives]
    chance = 1.0 / space.settings.classes
    return Reference(
        tuple(least.get(column, 1.0) for column in columns), tuple(most.get(column, chance) for column in columns)
    )
