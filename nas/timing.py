"""How long a search would take, from a few real training steps and evaluations on this machine."""

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.assembly import TABLE, TRAIN, ZERO_COST
from nas.core.fidelity import Fidelity
from nas.feasibility import Feasibility
from nas.gate import Gate
from nas.measuring import DEFAULT_FIDELITY, fidelity_of, untrained_networks
from nas.progress import Reporter
from nas.searching import Prepared, workers_of
from nas.shared_weights import BATCH, curriculum, epochs_of
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population

if TYPE_CHECKING:
    from nas.training.data import Pictures

_TIMED_STEPS = 2
_TIMED_PICTURES = 128
_TIMED_EVALUATIONS = 3


def expected_seconds(prepared: Prepared, reporter: Reporter) -> dict[str, Any]:
    """Seconds of preparation and of all evaluations, extrapolated from random pictures of the right size.

    `measuring`: those of the speed of as many networks as are evaluated, one after the other while others evaluate.
    """
    return {**_evaluating(prepared), **_measuring(prepared, reporter)}


def _evaluating(prepared: Prepared) -> dict[str, Any]:
    if prepared.parts.evaluator == TABLE:
        return {"supernet": 0.0, "evaluations": 0.0, "trials": prepared.config.trials, "timed_steps": 0}
    if prepared.parts.evaluator == TRAIN:
        return _training_alone(prepared)
    if prepared.parts.evaluator == ZERO_COST:
        return _asking_a_proxy(prepared)
    return _shared_weights(prepared)


def _measuring(prepared: Prepared, reporter: Reporter) -> dict[str, float]:
    """From one network of middling MACs; where the survey measured all that there are, nothing is left to measure."""
    gate, each = prepared.parts.gate, 0.0
    one = None if gate is None else _not_measured(prepared.feasibility, gate)
    if gate is not None and one is not None:
        import nas.evaluation.host_speed  # noqa: F401 - loads torch, which is no part of measuring

        began = time.monotonic()
        with gate.shown(reporter, 1) as shown:
            shown(one)
        each = time.monotonic() - began
    return {"measuring": each * prepared.config.trials, "measuring_each": each}


def _not_measured(feasibility: Feasibility, gate: Gate) -> Population | None:
    """Of the networks within the exact limits that cost time to know, the nearest to the middle by MACs."""
    fitting = np.flatnonzero(feasibility.columns["fits"])
    by_macs = fitting[np.argsort(feasibility.columns["macs"][fitting], kind="stable")]
    from_the_middle = np.argsort(np.abs(np.arange(len(by_macs)) - len(by_macs) // 2), kind="stable")
    known = feasibility.population[by_macs[from_the_middle]]
    known = known if feasibility.found is None else known.concatenate(feasibility.found)
    rows = (row for row, architecture in enumerate(known) if not gate.knows(architecture))
    row = next(rows, None)
    return None if row is None else known[row : row + 1]


def _asking_a_proxy(prepared: Prepared) -> dict[str, Any]:
    parts, config = prepared.parts, prepared.config
    rng = np.random.default_rng([config.seed, 4])
    evaluator = untrained_networks(parts, config.seed, _random_pictures(prepared, rng, _TIMED_PICTURES))()
    drawn = _some_that_fit(prepared)
    began = time.monotonic()
    for architecture in drawn:
        evaluator.evaluate(architecture)
    each = (time.monotonic() - began) / len(drawn)
    return {
        "supernet": 0.0,
        "evaluations": each * config.trials / workers_of(parts, config),
        "trials": config.trials,
        "timed_steps": len(drawn),
    }


def _some_that_fit(prepared: Prepared) -> list[Architecture]:
    """Of those sampled; the smallest network where none was sampled."""
    fitting = np.flatnonzero(prepared.feasibility.columns["fits"])[:_TIMED_EVALUATIONS]
    return list(prepared.feasibility.population[fitting]) or [prepared.parts.space.extremes()[0]]


def _training_alone(prepared: Prepared) -> dict[str, Any]:
    """Every network trained to the end; with halving most end sooner."""
    from nas.evaluation.train import TrainEvaluator

    parts, config = prepared.parts, prepared.config
    space = parts.space
    rng = np.random.default_rng([config.seed, 4])
    fidelity = fidelity_of(config) or DEFAULT_FIDELITY
    pictures = _random_pictures(prepared, rng, _TIMED_PICTURES)
    evaluator = TrainEvaluator(space, pictures, Fidelity((1,)), seed=config.seed, accelerator=config.accelerator)
    drawn = _some_that_fit(prepared)
    began = time.monotonic()
    for architecture in drawn:
        evaluator.evaluate(architecture)
    epoch = (time.monotonic() - began) / len(drawn) / _TIMED_PICTURES
    train = sum(prepared.description.counts["train"])
    each = epoch * train * fidelity.epochs
    return {
        "supernet": 0.0,
        "evaluations": each * config.trials / workers_of(parts, config),
        "trials": config.trials,
        "epochs": fidelity.epochs,
        "timed_steps": len(drawn),
    }


def _shared_weights(prepared: Prepared) -> dict[str, Any]:
    from nas.evaluation.supernet import SupernetEvaluator
    from nas.training.checkpoint import to_arrays
    from nas.training.recalibrate import CALIBRATION_PICTURES

    parts, config = prepared.parts, prepared.config
    space = parts.space
    counts = {part: sum(numbers) for part, numbers in prepared.description.counts.items()}
    rng = np.random.default_rng([config.seed, 4])
    size = space.input_size(space.extremes()[1])
    step = _seconds_a_step(prepared, rng)
    epochs = epochs_of(config, counts["train"], prepared.parts.sampling)
    steps = epochs * -(-counts["train"] // BATCH)
    images = rng.integers(0, 256, (BATCH, *size), dtype=np.uint8)
    labels = np.arange(BATCH) % space.settings.classes
    network: Any = space.supernet()
    evaluator = SupernetEvaluator(space, to_arrays(network), images, images, labels, [0.5] * size[0], [0.25] * size[0])
    plan = curriculum(space, parts.pricer, prepared.feasibility, config.seed)
    drawn = list(plan.draw(rng, _TIMED_EVALUATIONS))
    began = time.monotonic()
    for architecture in drawn:
        evaluator.evaluate(architecture)
    # timed on one batch of each; a real evaluation sees the calibration and all validation pictures
    pictures = (min(CALIBRATION_PICTURES, counts["train"]) + counts["validation"]) / (2 * BATCH)
    each = (time.monotonic() - began) / len(drawn) * pictures
    return {
        "supernet": 0.0 if config.supernet_from else step * steps,
        "evaluations": each * config.trials / workers_of(parts, config),
        "trials": config.trials,
        "epochs": epochs,
        "timed_steps": _TIMED_STEPS,
    }


def _seconds_a_step(prepared: Prepared, rng: np.random.Generator) -> float:
    """One supernet step of 64 pictures, the first (slower) one left out."""
    from nas.training.device import cores
    from nas.training.supernet import train_supernet

    parts = prepared.parts
    pictures = _random_pictures(prepared, rng, BATCH * (_TIMED_STEPS + 1))
    times: list[float] = []
    plan = curriculum(parts.space, parts.pricer, prepared.feasibility, prepared.config.seed)
    train_supernet(
        parts.space,
        pictures,
        epochs=1,
        sampling=prepared.parts.sampling,
        random_subnets=prepared.config.subnets,
        seed=prepared.config.seed,
        accelerator=prepared.config.accelerator,
        threads=cores(),
        progress=lambda at: times.append(at.seconds),
        candidates=plan.draw,
        largest=plan.largest,
        smallest=plan.smallest,
    )
    return (times[-1] - times[0]) / (len(times) - 1)


def _random_pictures(prepared: Prepared, rng: np.random.Generator, count: int) -> "Pictures":
    """So many, of the size and classes that the space expects."""
    from nas.training.data import Labelled, Pictures

    space = prepared.parts.space
    size = space.input_size(space.extremes()[1])
    images = rng.integers(0, 256, (count, *size), dtype=np.uint8)
    labelled = Labelled(images, np.arange(count, dtype=np.int64) % space.settings.classes)
    mean, std = (0.5,) * size[0], (0.25,) * size[0]
    return Pictures(labelled, labelled, None, mean, std, size[1:], prepared.description.class_names, 0, "", {}, ())
