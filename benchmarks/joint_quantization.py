"""Joint search of architecture and widths, beside searching first and quantizing then, and widths of the largest.

One supernet of `mcunetv2` a data set; every search has the same evaluations, seeds and shared weights, and a network is
scored once for all of them. Hypervolume is that of (int8 accuracy, size) or (int8 accuracy, latency) between the best
possible and chance accuracy, and the fully int8 largest network. Latencies are predicted, from networks profiled here.

    FITNAS_DATA=... python benchmarks/joint_quantization.py --trials 250 --seeds 3 --pairs size latency
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from scipy.stats import t as student

from nas.conductor import Conductor, Proposal
from nas.config import RunConfig
from nas.core.measured import MIXED, Target
from nas.core.objective import parse_objectives
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.device_predictor import LearntPredictor
from nas.evaluation.supernet import SupernetEvaluator
from nas.pricing import Pricer
from nas.profiling import prepare_profile
from nas.strategies import strategy_class
from nas.training.data import augmentation, describe, load
from nas.training.recalibrate import calibration_sample
from nas.training.supernet import train_supernet
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.policy import INT8
from search_spaces.core.registry import space_class

DATA = {"sign_digits": "sign_digits_96.zip", "person32": "person32_cifar100.npz"}
RESOLUTION, WIDTHS, PROFILED = "32", "fp32,int8,w4", 120
COLUMN = {"size": "weight_bytes", "latency": "latency_ms"}
STRATEGIES = ("auto", "linas", "nsga2", "random")
BASELINES = {"then": "search, then int8", "widths": "widths of the largest"}
TITLES = {**{name: f"joint, {name}" for name in STRATEGIES}, **BASELINES}


@dataclass
class Subject:
    """A data set's spaces, shared weights and prices, and what was scored so far."""

    joint: WithQuantization
    widths_alone: WithQuantization
    evaluator: SupernetEvaluator
    floats: SupernetEvaluator
    pricer: Pricer
    known: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """Of the data."""
        return int(self.joint.settings.classes)

    def scored(self, one: Architecture) -> dict[str, float]:
        """Accuracy under the policy, once for all searches."""
        if one.id not in self.known:
            self.known[one.id] = self.evaluator.evaluate(one)
        return self.known[one.id]

    def scored_in_floats(self, one: Architecture) -> dict[str, float]:
        """Accuracy without a policy."""
        if one.id not in self.known:
            self.known[one.id] = self.floats.evaluate(one)
        return self.known[one.id]

    def price(self, one: Architecture) -> dict[str, Any]:
        """Figures of a network with a policy."""
        return self.pricer.one(one)

    def int8(self, one: Architecture) -> Architecture:
        """A network of the base, all int8."""
        return self.joint.uniform(one, INT8)


def subject_of(name: str, epochs: int, latency: bool) -> Subject:
    """Trains the supernet, and profiles where latency is asked for."""
    path = Path(os.environ["FITNAS_DATA"]) / "vision" / DATA[name]
    description = describe(path)
    learnt = profiled(path) if latency else None  # first, while the machine is quiet
    told = {"resolutions": RESOLUTION, "quantize": WIDTHS}
    joint = space_class("mcunetv2+quantization").configured(told, description.facts)
    assert isinstance(joint, WithQuantization)
    size = joint.input_size(joint.extremes()[1])[1:]
    pictures = load(description, size, 0)
    trained = train_supernet(
        joint.inner, pictures, epochs=epochs, augmentation=augmentation(description, size), accelerator="cpu"
    )
    shown = {
        "weights": trained.weights,
        "calibration": calibration_sample(pictures.train.images, 0),
        "images": pictures.validation.images,
        "labels": pictures.validation.labels,
        "mean": pictures.mean,
        "std": pictures.std,
    }
    forecast = learnt.forecast(joint) if learnt else None
    return Subject(
        joint,
        joint.of_one(joint.inner.extremes()[1]),
        SupernetEvaluator(joint, **shown),
        SupernetEvaluator(joint.inner, **shown),
        Pricer(joint, "onnxruntime", forecast=forecast),
    )


def profiled(path: Path) -> LearntPredictor:
    """Latency in onnxruntime at the policies' widths, learnt from networks measured here."""
    config = RunConfig.checked(space="mcunetv2", set={"resolutions": RESOLUTION}, quantize=WIDTHS, data=str(path))
    with tempfile.TemporaryDirectory() as folder:
        job = prepare_profile(config, Target(precision=MIXED), PROFILED, Path(folder) / "rows.csv")
        made = LearntPredictor(job.run())
    scores = made.cross_validated()
    print(f"latency predictor: Kendall {scores.kendall:.3f}, within 10 % {100 * scores.within_10_percent:.0f} %")
    return made


def search(subject: Subject, space: Any, name: str, keys: str, trials: int, seed: int, box: Reference) -> list[Trial]:
    """One search's trials; `space` the joint one, that of widths alone, or the base, which is scored in floats."""
    is_base = not isinstance(space, WithQuantization)
    pricer = Pricer(space, "onnxruntime", forecast=None if is_base else subject.pricer.forecast)
    objectives = parse_objectives(keys)
    strategy = strategy_class(name)(space, objectives, trials, None, pricer, None, box)
    conductor = Conductor(
        space,
        strategy,
        pricer,
        objectives=objectives,
        record=lambda trial: None,
        trials=trials,
        seed=seed,
        reference=box,
    )
    score = subject.scored_in_floats if is_base else subject.scored
    while isinstance(proposal := conductor.propose(), Proposal):
        conductor.report(proposal.number, score(proposal.architecture), 0.0)
    return list(conductor.trials)


def quantized(subject: Subject, trials: Sequence[Trial], box: Reference, keys: str) -> list[Trial]:
    """The front of a search in floats, each member all int8: what searching first and quantizing then gives."""
    front = ParetoFront(trials, parse_objectives(keys), box)
    found = []
    for number, trial in enumerate(front):
        one = subject.int8(trial.architecture)
        found.append(Trial.from_results(number, one, {**subject.scored(one), **subject.price(one)}))
    return found


def volumes(trials: Sequence[Trial], keys: str, box: Reference) -> np.ndarray[Any, Any]:
    """Hypervolume after each trial."""
    objectives = parse_objectives(keys)
    return np.array([ParetoFront(trials[: n + 1], objectives, box).hypervolume for n in range(len(trials))])


def compared(subject: Subject, pair: str, trials: int, seed: int, searches: Sequence[str]) -> dict[str, float]:
    """The figures of one seed, of those searches alone."""
    keys, column = f"int8_accuracy,{pair}", COLUMN[pair]
    largest = subject.int8(subject.joint.inner.extremes()[1])
    smallest = subject.joint.extremes()[0]
    top, figures = subject.scored(largest)["int8_top1"], subject.price(largest)
    box = Reference((1.0, float(subject.price(smallest)[column])), (1 / subject.classes, float(figures[column])))
    spaces = {**dict.fromkeys(STRATEGIES, subject.joint), "widths": subject.widths_alone}
    found = {
        name: search(subject, space, name if name in STRATEGIES else "auto", keys, trials, seed, box)
        for name, space in spaces.items()
        if name in searches
    }
    if "then" in searches:
        found["then"] = searched_first(subject, pair, trials, seed)
    grown = {name: volumes(each, keys, box) for name, each in found.items()}
    joint = [trial for name in STRATEGIES for trial in found.get(name, ())]
    as_good = [trial.metrics[column] for trial in joint if trial.metrics["int8_top1"] >= top]
    reached = np.flatnonzero(grown["linas"] >= grown["nsga2"][-1]) if {"linas", "nsga2"} <= set(grown) else []
    return {
        **{name: float(each[-1]) for name, each in grown.items()},
        "evaluations": float(reached[0] + 1 if len(reached) else np.nan),
        "ratio": float(figures[column] / min(as_good, default=np.nan)),
    }


def searched_first(subject: Subject, pair: str, trials: int, seed: int) -> list[Trial]:
    """What searching in floats, by multiply-accumulates where the joint search has latency, and int8 then gives."""
    keys, column = ("accuracy,macs", "macs") if pair == "latency" else ("accuracy,size", COLUMN[pair])
    base = subject.joint.inner
    pricer = Pricer(base, "onnxruntime")
    least, most = (float(pricer.one(end)[column]) for end in base.extremes())
    box = Reference((1.0, least), (1 / subject.classes, most))
    return quantized(subject, search(subject, base, "auto", keys, trials, seed, box), box, keys)


def told(values: Sequence[float], digits: int = 3) -> str:
    """Mean and half of its 95 % interval over seeds; which are missing."""
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) < 2:
        return f"{known[0]:.{digits}f}" if len(known) else "-"
    half = student.ppf(0.975, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    missing = f" ({len(values) - len(known)} never)" if len(known) < len(values) else ""
    return f"{known.mean():.{digits}f} +- {half:.{digits}f}{missing}"


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=DATA, default=["sign_digits"])
    parser.add_argument("--pairs", nargs="+", choices=COLUMN, default=["size"])
    parser.add_argument("--trials", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--searches", nargs="+", choices=TITLES, default=list(TITLES))
    arguments = parser.parse_args()
    rows = []
    for name in arguments.data:
        subject = subject_of(name, arguments.epochs, "latency" in arguments.pairs)
        for pair in arguments.pairs:
            found = []
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
                found.append(compared(subject, pair, arguments.trials, seed, arguments.searches))
                print(name, pair, seed, found[-1], flush=True)
            rows.append(
                {
                    "data": name,
                    "beside accuracy": pair,
                    **{title: told([each.get(name, np.nan) for each in found]) for name, title in TITLES.items()},
                    "linas reaches nsga2's after": told([each["evaluations"] for each in found], 0),
                    "int8 largest over joint, no accuracy lost": told([each["ratio"] for each in found], 2),
                }
            )
    write_section(
        "Joint search of architecture and widths",
        rows,
        [
            f"hypervolume after {arguments.trials} evaluations, {arguments.seeds} seeds, 95 % intervals; one supernet "
            f"for each data set, {arguments.epochs} epochs, {RESOLUTION} pixels, widths {WIDTHS} in onnxruntime",
            "what is searched in floats first is quantized as a whole front, free of charge",
            "the ratio is of the fully int8 largest network's figure and the least of a network that scores as well; "
            "SimQ-NAS's abstract says up to 3.44 (size) and 4.80 (latency)",
        ],
    )


if __name__ == "__main__":
    main()
