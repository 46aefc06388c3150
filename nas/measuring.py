"""What measures accuracy in a search, made ready: shared weights are trained, or a table is read, before it starts."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.assembly import SUPERNET, TABLE
from nas.candidates import Price
from nas.conductor import Event
from nas.config import RunConfig
from nas.core.fidelity import Fidelity
from nas.core.pareto import ParetoFront
from nas.execution.backend import MakeEvaluator
from nas.feasibility import Feasibility
from nas.halving import ACCURACY, Halving
from nas.progress import Reporter
from nas.run import StoredRun
from nas.sensitivity import learn_sensitivity
from nas.shared_weights import announced_augmentation, shared_weights
from nas.strategies.strategy import Strategy
from nas.tracking.tracker import Tracker
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.space import SearchSpace

if TYPE_CHECKING:
    from nas.evaluation.per_patch import PerPatchScoring
    from nas.evaluation.table import TableEvaluator
    from nas.training.data import DataDescription, Pictures

DEFAULT_FIDELITY = Fidelity((10,))
_FLOAT32 = 4


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
    return _train(run, pictures, description, reporter)


def fidelity_of(config: RunConfig) -> Fidelity | None:
    """What `--fidelity` says; None where it is not given."""
    return Fidelity.parse(config.fidelity) if config.fidelity else None


def shared_bytes(run: StoredRun, pictures: "Pictures") -> int:
    """About what the evaluator's arrays take: pictures and weights of the largest network."""
    parts = run.parts
    largest = parts.pricer.of_largest()
    return int(pictures.validation.images.nbytes + pictures.train.images.nbytes + _FLOAT32 * largest["params"])


def _supernet(run: StoredRun, pictures: "Pictures", weights: Mapping[str, Any], reporter: Reporter) -> Measuring:
    from nas.evaluation.supernet import SupernetEvaluator
    from nas.training.recalibrate import calibration_sample

    make = functools.partial(
        SupernetEvaluator,
        run.parts.space,
        weights=weights,
        calibration=calibration_sample(pictures.train.images, run.config.seed),
        images=pictures.validation.images,
        labels=pictures.validation.labels,
        mean=pictures.mean,
        std=pictures.std,
        floats_too=ACCURACY in {*run.parts.budget.limits, *(o.column for o in run.parts.objectives)},
        per_patch=_per_patch(run),
    )
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
