"""Training on from shared weights against training from random ones, for equal epochs, each at its own best rate.

For each number of epochs both ways try the same learning rates with the first seed and keep the best by validation
accuracy; test accuracy is then of all seeds. The network is the knee of a small search. A second table is the learning
curve of the longest training: validation accuracy of both ways after some of its epochs, first seed, best rates.

    python benchmarks/fine_tuning.py --epochs 10 25 50 --seeds 0 1 2
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from scipy.stats import t as student

import nas
from nas.member import inherited_network, train_member
from nas.training.data import augmentation, load
from nas.training.device import cores, random_numbers
from nas.training.loop import Fit, fit_in_stages

RATES = {"shared weights": (3e-4, 1e-3, 3e-3), "from scratch": (3e-3, 1e-2, 2e-2)}


def accuracies(run: Any, way: str, epochs: int, seeds: list[int]) -> tuple[float, list[float]]:
    """The rate that is best on validation, and the test accuracy of every seed at it."""
    options = {"epochs": epochs, "from_scratch": way == "from scratch"}
    tried = {rate: train_member(run, "knee", learning_rate=rate, seed=seeds[0], **options) for rate in RATES[way]}
    best = max(tried, key=lambda rate: tried[rate].validation.top1)
    rest = [train_member(run, "knee", learning_rate=best, seed=seed, **options) for seed in seeds[1:]]
    return best, [tried[best].test.top1, *(report.test.top1 for report in rest)]


def curve(run: Any, way: str, rate: float, epochs: int, seed: int) -> dict[int, float]:
    """Validation accuracy after 1, 2, 5, 10, ... epochs of one training."""
    space, trial = run.parts.space, run.knee()
    description = run.described_data()
    pictures = load(description, run.picture_size, seed, include_test=False, cache=run.cache)
    if way == "from scratch":
        with random_numbers(seed):
            network = space.build(trial.architecture)
    else:
        network = inherited_network(run, trial, pictures)
    size = space.input_size(trial.architecture)[1:]
    how = Fit(epochs, rate, augmentation=augmentation(description, pictures.size))
    rungs = [*(rung for rung in (1, 2, 5, 10, 15, 20, 25, 30, 40) if rung < epochs), epochs]
    stages = fit_in_stages(network, pictures, how, rungs, size=size, seed=seed, threads=cores())
    return {rung: scores.top1 for rung, scores in stages}


def interval(differences: list[float]) -> str:
    """Mean difference in points with its 95 % interval (Student's t over the seeds)."""
    points = 100 * np.array(differences)
    half = student.ppf(0.975, len(points) - 1) * points.std(ddof=1) / np.sqrt(len(points)) if len(points) > 1 else 0.0
    return f"{points.mean():+.2f} ({points.mean() - half:+.2f} to {points.mean() + half:+.2f})"


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, or a path below FITNAS_DATA")
    parser.add_argument("--budget", default="sram=16k")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 25, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trials", type=int, default=60)
    arguments = parser.parse_args()
    data = arguments.data if arguments.data == "digits" else str(Path(os.environ["FITNAS_DATA"]) / arguments.data)
    rows = []
    with tempfile.TemporaryDirectory() as root:
        run = nas.search(
            space="mcunetv2", budget=arguments.budget, data=data, trials=arguments.trials, root=root, run="r"
        )
        for epochs in arguments.epochs:
            found = {way: accuracies(run, way, epochs, arguments.seeds) for way in RATES}
            differences = np.subtract(*(scores for _, scores in found.values())).tolist()
            row: dict[str, object] = {"epochs": epochs}
            for way, (rate, scores) in found.items():
                row[f"{way}: rate, test accuracy"] = f"{rate:g}, {np.mean(scores):.4f}"
            rows.append(row | {"difference in points": interval(differences)})
            print(rows[-1], flush=True)
            rates = {way: rate for way, (rate, _) in found.items()}
        curves = {way: curve(run, way, rates[way], epochs, arguments.seeds[0]) for way in RATES}
        macs = run.knee().metrics["macs"]
    notes = [
        "asked: training on from shared weights not more than 0.5 points below, at 10, 25 and 50 epochs",
        f"network: the knee, {macs / 1e6:.2f} M MACs; seeds {', '.join(map(str, arguments.seeds))}; 95 % intervals",
    ]
    where = f"{arguments.data}, {arguments.budget}"
    write_section(f"Shared weights against random ones: {where}", rows, notes)
    by_epoch = [
        {"epoch": rung, **{f"{way}: validation": f"{curves[way][rung]:.4f}" for way in RATES}}
        for rung in curves["from scratch"]
    ]
    about = [f"of a training of {epochs} epochs, moving averages of the weights, rates {rates}"]
    write_section(f"Learning curves, shared weights and random ones: {where}", by_epoch, about)


if __name__ == "__main__":
    main()
