"""What a supernet's steps should train, in equal time: one random network, several in one pass, or a sandwich.

Each way trains the supernet of one budget on the same pictures, with the search's own batch and as many epochs as fit
the same time of the processor (one thread, `time.process_time`: other work on the machine then counts little). Scored
are the same random networks of the feasible set with the weights that they inherit, on validation pictures; and the
largest and smallest of it. The interval of a difference of medians is a bootstrap over networks and seeds, in pairs.

    python benchmarks/sampling.py --seconds 25 --seeds 0 1 2
    FITNAS_DATA=... python benchmarks/sampling.py --data vision/sign_digits_96.zip --spaces mcunetv2 --seconds 300
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import write_section

from nas.config import RunConfig
from nas.evaluation.supernet import SupernetEvaluator
from nas.searching import Prepared, prepare
from nas.shared_weights import BATCH, curriculum
from nas.training.data import Labelled, Pictures, augmentation, load
from nas.training.recalibrate import calibration_sample
from nas.training.supernet import SupernetReport, train_supernet
from search_spaces.core.architecture import Architecture

WAYS = ("sandwich", "uniform", "multi")
PEER = "uniform"
SPACES: dict[str, dict[str, Any]] = {
    "vit": {"set": {"preset": "micro"}, "budget": "params=500k"},
    "mcunetv2": {"set": {"resolutions": "16,24"}, "budget": "sram=8k"},  # small: a step on digits is then about as dear
}
_RESAMPLES = 2000
_TIMED_STEPS = 30


@dataclass(frozen=True)
class Found:
    """What one training came to: `accuracies` of the random networks, of the (smallest, largest)."""

    epochs: int
    seconds: float
    accuracies: list[float]
    ends: list[float]


@dataclass(frozen=True)
class Bench:
    """One space under its budget, its pictures, and the networks that are scored."""

    prepared: Prepared
    pictures: Pictures
    networks: list[Architecture]

    def train(self, way: str, seed: int, epochs: int, pictures: Pictures | None = None) -> tuple[SupernetReport, float]:
        """The training, and its seconds of the processor."""
        parts = self.prepared.parts
        plan = curriculum(parts.space, parts.pricer, self.prepared.feasibility, 0)
        began = time.process_time()
        report = train_supernet(
            parts.space,
            pictures or self.pictures,
            epochs=epochs,
            batch_size=BATCH,
            sampling=way,
            seed=seed,
            accelerator="cpu",
            threads=1,
            augmentation=augmentation(self.prepared.description, self.pictures.size),
            candidates=plan.draw,
            largest=plan.largest,
            smallest=plan.smallest,
        )
        return report, time.process_time() - began

    def epochs(self, seconds: float) -> dict[str, int]:
        """For each way as many as take equally long: whole epochs of the dearest, about `seconds`."""
        images, labels = self.pictures.train
        some = Labelled(images[: BATCH * _TIMED_STEPS], labels[: BATCH * _TIMED_STEPS])
        fewer = replace(self.pictures, train=some)
        self.train(WAYS[0], 0, 1, fewer)  # the first steps of a process are slower
        each = {way: self.train(way, 0, 1, fewer)[1] * len(labels) / len(some.labels) for way in WAYS}
        dearest = max(each.values())
        equal = dearest * max(1, round(seconds / dearest))
        return {way: max(1, round(equal / cost)) for way, cost in each.items()}

    def score(self, way: str, seed: int, epochs: int) -> Found:
        """One training and everything that is scored of it."""
        report, seconds = self.train(way, seed, epochs)
        parts, pictures = self.prepared.parts, self.pictures
        plan = curriculum(parts.space, parts.pricer, self.prepared.feasibility, 0)
        calibration = calibration_sample(pictures.train.images, 0)
        evaluator = SupernetEvaluator(
            parts.space, report.weights, calibration, *pictures.validation, pictures.mean, pictures.std
        )
        each = [evaluator.evaluate(network)["top1"] for network in self.networks]
        ends = [evaluator.evaluate(network)["top1"] for network in (plan.smallest, plan.largest)]
        print(f"{way}, seed {seed}: {epochs} epochs in {seconds:.0f} s, median {np.median(each):.3f}", flush=True)
        return Found(report.epochs, seconds, each, ends)


def interval(one: NDArray[np.float64], peer: NDArray[np.float64]) -> str:
    """The difference of medians (mean over seeds) of accuracies (seeds, networks), with its 95 % interval."""
    rng = np.random.default_rng(0)
    seeds, networks = one.shape
    found = []
    for _ in range(_RESAMPLES):
        pick = np.ix_(rng.integers(seeds, size=seeds), rng.integers(networks, size=networks))
        found.append(np.mean(np.median(one[pick], axis=1) - np.median(peer[pick], axis=1)))
    low, high = np.percentile(found, [2.5, 97.5])
    difference = np.mean(np.median(one, axis=1) - np.median(peer, axis=1))
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"


def rows(name: str, found: dict[str, list[Found]]) -> list[dict[str, object]]:
    """A row a way."""
    accuracies = {way: np.array([one.accuracies for one in trained]) for way, trained in found.items()}
    table = []
    for way, trained in found.items():
        ends = np.mean([one.ends for one in trained], axis=0)
        table.append(
            {
                "space": name,
                "sampling": way,
                "epochs": trained[0].epochs,
                "CPU seconds": ", ".join(f"{one.seconds:.0f}" for one in trained),
                "median accuracy of each seed": ", ".join(f"{np.median(one):.3f}" for one in accuracies[way]),
                f"against {PEER}": "" if way == PEER else interval(accuracies[way], accuracies[PEER]),
                "smallest": f"{ends[0]:.3f}",
                "largest": f"{ends[1]:.3f}",
            }
        )
    return table


def bench_of(name: str, data: str, networks: int, cache: Path) -> Bench:
    """The space's supernet under its budget, and so many random networks of the feasible set."""
    prepared = prepare(RunConfig.checked(space=name, data=data, **SPACES[name]))
    space = prepared.parts.space
    pictures = load(prepared.description, space.input_size(space.extremes()[1])[1:], 0, cache=cache)
    drawn = space.sample(np.random.default_rng(9), 20_000)
    fitting = np.flatnonzero(prepared.parts.pricer(drawn)["fits"])[:networks]
    return Bench(prepared, pictures, [drawn[int(row)] for row in fitting])


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, or a path below FITNAS_DATA")
    parser.add_argument("--spaces", nargs="+", choices=list(SPACES), default=list(SPACES))
    parser.add_argument("--seconds", type=float, default=25.0, help="of the processor for each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", type=int, default=40)
    arguments = parser.parse_args()
    data = arguments.data if arguments.data == "digits" else str(Path(os.environ["FITNAS_DATA"]) / arguments.data)
    table = []
    for name in arguments.spaces:
        with tempfile.TemporaryDirectory() as cache:
            bench = bench_of(name, data, arguments.networks, Path(cache))
        epochs = bench.epochs(arguments.seconds)
        found: dict[str, list[Found]] = {way: [] for way in WAYS}
        for seed in arguments.seeds:
            for way in WAYS:
                found[way].append(bench.score(way, seed, epochs[way]))
        table += rows(name, found)
    budgets = ", ".join(f"{name} under {SPACES[name]['budget']}" for name in arguments.spaces)
    notes = [
        f"{budgets}; batches of {BATCH}; the same {arguments.networks} networks for all, validation pictures",
        f"equal time is about {arguments.seconds:g} s of the processor in one torch thread (time.process_time, not of "
        "the clock), in whole epochs; other work beside it then counts little",
        "smallest and largest: of the feasible set, mean over seeds; intervals are of 95 %",
        "sandwich distils, the others learn from labels alone, as published",
    ]
    write_section(f"Sampling of a supernet's training in equal time: {arguments.data}", table, notes)


if __name__ == "__main__":
    main()
