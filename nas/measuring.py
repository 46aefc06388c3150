"""What measures accuracy in a search, made ready: shared weights are trained, or a table is read, before it starts."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.assembly import SUPERNET, TABLE, ZERO_COST, Parts
from nas.candidates import Price
from nas.conductor import Event
from nas.config import RunConfig
from nas.core.fidelity import Fidelity
from nas.core.pareto import ParetoFront
from nas.execution.backend import MakeEvaluator
from nas.feasibility import Feasibility, ends_that_fit
from nas.halving import ACCURACY, Halving
from nas.progress import Reporter
from nas.run import StoredRun
from nas.sensitivity import learn_sensitivity
from nas.shared_weights import announced_augmentation, shared_weights
from nas.strategies.strategy import Strategy
from nas.tracking.tracker import Tracker
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.errors import FitnasError
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    from nas.evaluation.per_patch import PerPatchScoring
    from nas.evaluation.supernet import SupernetEvaluator
    from nas.evaluation.table import TableEvaluator
    from nas.training.data import DataDescription, Pictures

DEFAULT_FIDELITY = Fidelity((10,))
_FLOAT32 = 4
_ASKED_BETWEEN = 14  # networks, beside the smallest and the largest


@dataclass(frozen=True)
class Measuring:
    """How a search measures: the evaluator, and what it asks of the rest.

    `price` and `strategy` keep a search to what the evaluator knows; `halving` ends its stages. `kept`: where it leaves
    weights behind.
    """

    make: MakeEvaluator
    price: Callable[[Price], Price] = lambda price: price
    strategy: Callable[[Strategy], Strategy] = lambda strategy: strategy
    halving: Halving | None = None
    kept: Path | None = None
    finished: set[str] = field(default_factory=set)  # architectures whose weights may be deleted

    def tidy(self, event: Event, front: ParetoFront) -> None:
        """After a trial: of the weights left behind only those of the front stay, and of trials under way."""
        if self.kept is None or event.trial is None:
            return
        on_front = {trial.architecture.id for trial in front}
        self.finished.add(event.trial.architecture.id)
        for done in self.finished - on_front:
            (self.kept / f"{done}.safetensors").unlink(missing_ok=True)
        self.finished.intersection_update(on_front)


def measuring(
    run: StoredRun,
    pictures: "Pictures",
    description: "DataDescription",
    feasibility: Feasibility,
    reporter: Reporter,
    tracker: Tracker,
) -> Measuring:
    """Makes the run's evaluator ready; for a supernet this is its training."""
    if run.parts.evaluator == SUPERNET:
        weights = shared_weights(run, pictures, description, feasibility, reporter, tracker)
        return _supernet(run, pictures, weights, reporter)
    if run.parts.evaluator == TABLE:
        return _table(run, reporter)
    if run.parts.evaluator == ZERO_COST:
        reporter.note(f"warning: {run.parts.warning}")
        return Measuring(untrained_networks(run.parts, run.config.seed, pictures))
    return _train(run, pictures, description, reporter)


def fidelity_of(config: RunConfig) -> Fidelity | None:
    """What `--fidelity` says; None where it is not given."""
    return Fidelity.parse(config.fidelity) if config.fidelity else None


def shared_bytes(run: StoredRun, pictures: "Pictures") -> int:
    """About what the evaluator's arrays take: pictures and weights of the largest network."""
    parts = run.parts
    largest = parts.pricer.of_largest()
    return int(pictures.validation.images.nbytes + pictures.train.images.nbytes + _FLOAT32 * largest["params"])


def supernet_evaluator(
    run: StoredRun, pictures: "Pictures", weights: Mapping[str, Any], space: SearchSpace[Any]
) -> "Callable[[], SupernetEvaluator]":
    """Makes the evaluator of shared weights, for the run's space or for its base."""
    from nas.evaluation.supernet import SupernetEvaluator
    from nas.training.recalibrate import calibration_sample

    return functools.partial(
        SupernetEvaluator,
        space,
        weights=weights,
        calibration=calibration_sample(pictures.train.images, run.config.seed),
        images=pictures.validation.images,
        labels=pictures.validation.labels,
        mean=pictures.mean,
        std=pictures.std,
        floats_too=ACCURACY in {*run.parts.budget.limits, *(o.column for o in run.parts.objectives)},
        per_patch=_per_patch(run),
    )


def _supernet(run: StoredRun, pictures: "Pictures", weights: Mapping[str, Any], reporter: Reporter) -> Measuring:
    make = supernet_evaluator(run, pictures, weights, run.parts.space)
    if isinstance(run.parts.space, WithQuantization):
        learn_sensitivity(run, make(), reporter)
    return Measuring(make)


def _per_patch(run: StoredRun) -> "PerPatchScoring | None":
    """What gives patches bits of their own, where a run does."""
    from nas.evaluation.per_patch import PerPatchScoring

    bits = run.parts.patch_bits
    return PerPatchScoring(replace(run.parts.pricer, forecast=None), bits) if bits else None


def _train(run: StoredRun, pictures: "Pictures", description: "DataDescription", reporter: Reporter) -> Measuring:
    from nas.evaluation.train import TrainEvaluator

    config, parts = run.config, run.parts
    fidelity = fidelity_of(config) or (None if config.recipe else DEFAULT_FIDELITY)
    vary = announced_augmentation(description, pictures, reporter)
    if fidelity is not None:
        reporter.note(f"each network is trained alone: {_told(fidelity)}")
    run.kept_weights.mkdir(exist_ok=True)
    make = functools.partial(
        TrainEvaluator,
        parts.space,
        pictures,
        fidelity,
        vary,
        seed=config.seed,
        accelerator=config.accelerator,
        keep=run.kept_weights.absolute(),
        per_patch=_per_patch(run),
    )
    in_stages = fidelity is not None and len(fidelity.rungs) > 1
    return Measuring(
        make,
        halving=Halving(fidelity, parts.objectives) if fidelity is not None and in_stages else None,
        kept=run.kept_weights,
        finished={trial.architecture.id for trial in run.trials},
    )


def untrained_networks(parts: Parts, seed: int, pictures: "Pictures") -> MakeEvaluator:
    """Makes the evaluator that asks the search's proxy, of networks and pictures drawn by the seed."""
    from nas.evaluation.zero_cost import PICTURES, Untrained, ZeroCostEvaluator, batch_of

    batch = batch_of(pictures.train, PICTURES, seed)
    untrained = Untrained(parts.space, batch, pictures.mean, pictures.std, seed)
    return functools.partial(ZeroCostEvaluator, untrained, parts.proxy or "")


def proxy_ends(
    parts: Parts, seed: int, feasibility: Feasibility, pictures: "Pictures", reporter: Reporter
) -> tuple[float, float]:
    """Where a proxy's score begins and ends in the hypervolume's box: (ideal, worst), of which a space knows neither.

    Asked are the smallest network, the largest and some between, all within the limits. Their worst score is the worst;
    the ideal is as far beyond their best as that is from the worst. `FitnasError` where none has a score.
    """
    evaluator = untrained_networks(parts, seed, pictures)()
    fitting = feasibility.population[np.flatnonzero(feasibility.columns["fits"])[:_ASKED_BETWEEN]]
    asked = list(ends_that_fit(parts.pricer, feasibility).concatenate(fitting))
    scores = []
    with reporter.progress("asking some networks first") as report:
        for number, architecture in enumerate(asked, start=1):
            scores.append(evaluator.evaluate(architecture)["zero_cost"])
            report(number, len(asked), architecture.id)
    known = [score for score in scores if math.isfinite(score)]
    if not known:
        raise FitnasError(f"{parts.proxy} has no figure for any of {len(asked)} networks; choose another --proxy")
    return max(known) + (max(known) - min(known)), min(known)


def _told(fidelity: Fidelity) -> str:
    steps = [f"the best {100 * fidelity.share(rung):.0f} % after {rung} epochs go on" for rung in fidelity.rungs[:-1]]
    return "; ".join([*steps, f"{fidelity.epochs} epochs at most"])


def known_results(space: SearchSpace[Any], config: RunConfig) -> "TableEvaluator":
    """The table of a run that is evaluated by one."""
    from nas.evaluation.table import TableEvaluator

    return TableEvaluator(space, Path(config.table or ""))


def _table(run: StoredRun, reporter: Reporter) -> Measuring:
    evaluator = known_results(run.parts.space, run.config)
    reporter.note(f"table {run.config.table}: {len(evaluator.known):,} networks of this space")
    return Measuring(lambda: evaluator, price=evaluator.price, strategy=evaluator.strategy)
