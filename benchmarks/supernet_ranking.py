"""Do shared weights rank networks as training each of them alone would?

Networks are drawn uniformly from one feasible set. Each is scored with shared weights (validation pictures) and trained
alone from random weights with two seeds (scored on test pictures: disjoint from what shared weights are scored on).
Printed: Kendall's tau-b of shared against stand-alone accuracy (mean of both seeds), the same for MACs alone, and the
noise ceiling: tau between the two stand-alone seeds. Intervals are bootstraps over the networks. A second table is the
learning curve: mean accuracy with shared weights, and tau, after each epoch of the supernet's training.

With `--keep FOLDER` the stand-alone accuracies are left there and read by the next run: only the supernet is trained
anew when its training is worked on.

    python benchmarks/supernet_ranking.py --data digits --budget sram=16k --networks 40 --epochs 10
"""

import argparse
import functools
import json
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import write_section
from scipy.stats import kendalltau

from nas.config import RunConfig
from nas.core.fidelity import Fidelity
from nas.evaluation.supernet import SupernetEvaluator
from nas.evaluation.train import TrainEvaluator
from nas.searching import prepare
from nas.shared_weights import BATCH, curriculum, default_epochs
from nas.training.checkpoint import model_arrays
from nas.training.data import Pictures, augmentation, load
from nas.training.device import cores
from nas.training.epochs import Progress
from nas.training.recalibrate import calibration_sample
from nas.training.supernet import FILE_NAME, train_supernet
from search_spaces.core.architecture import Architecture

_RESAMPLES = 2000


def alone(evaluator: TrainEvaluator, job: tuple[Architecture, int]) -> float:
    """Test accuracy of one network trained alone with a seed."""
    architecture, evaluator.seed = job
    return evaluator.evaluate(architecture)["top1"]


def all_alone(evaluator: TrainEvaluator, members: list[Architecture], seeds: tuple[int, ...], kept: Path | None) -> Any:
    """Test accuracy (seeds, members) of every network trained alone; those in the file `kept` are read."""
    known: dict[str, float] = json.loads(kept.read_text()) if kept and kept.is_file() else {}
    jobs = [(member, seed) for seed in seeds for member in members if f"{member.id}/{seed}" not in known]
    with ProcessPoolExecutor(cores()) as pool:
        for (member, seed), top1 in zip(jobs, pool.map(functools.partial(alone, evaluator), jobs), strict=True):
            known[f"{member.id}/{seed}"] = top1
            if kept:
                kept.write_text(json.dumps(known, indent=1))
            print(f"alone: {len(known)} trained, {member.id} seed {seed}: {top1:.4f}", flush=True)
    return np.array([[known[f"{member.id}/{seed}"] for member in members] for seed in seeds])


def with_interval(a: NDArray[np.float64], b: NDArray[np.float64]) -> str:
    """Kendall's tau-b with a 95 % bootstrap interval over the networks."""
    rng = np.random.default_rng(0)
    rows = rng.integers(len(a), size=(_RESAMPLES, len(a)))
    taus = [kendalltau(a[row], b[row]).statistic for row in rows]
    low, high = np.nanpercentile(taus, [2.5, 97.5])
    return f"{kendalltau(a, b).statistic:.3f} ({low:.2f} to {high:.2f})"


def shared_accuracies(prepared: Any, pictures: Pictures, epochs: int, members: list[Architecture]) -> list[list[float]]:
    """Trains the supernet; every member's accuracy with its weights after each epoch."""
    parts, config = prepared.parts, prepared.config
    plan = curriculum(parts.space, parts.pricer, prepared.feasibility, config.seed)

    def scores(weights: Mapping[str, NDArray[Any]]) -> list[float]:
        calibration = calibration_sample(pictures.train.images, config.seed)
        evaluator = SupernetEvaluator(
            parts.space, weights, calibration, *pictures.validation, pictures.mean, pictures.std
        )
        return [evaluator.evaluate(member)["top1"] for member in members]

    curve: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder:

        def progress(at: Progress) -> None:
            if at.epoch == len(curve) + 2:  # the checkpoint is that of the epoch before
                curve.append(scores(model_arrays(Path(folder) / FILE_NAME)))
                print(f"epoch {len(curve)}: mean shared-weight accuracy {np.mean(curve[-1]):.4f}", flush=True)

        report = train_supernet(
            parts.space,
            pictures,
            epochs=epochs,
            batch_size=BATCH,
            seed=config.seed,
            directory=Path(folder),
            threads=cores(),
            progress=progress,
            augmentation=augmentation(prepared.description, pictures.size),
            candidates=plan.draw,
            largest=plan.largest,
            smallest=plan.smallest,
        )
    return [*curve, scores(report.weights)]


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits, or a path below FITNAS_DATA")
    parser.add_argument("--budget", default="sram=16k")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of the space")
    parser.add_argument("--networks", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=10, help="of each stand-alone training")
    parser.add_argument("--supernet-epochs", type=int, help="default: the search's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for stand-alone accuracies")
    arguments = parser.parse_args()
    data = arguments.data if arguments.data == "digits" else str(Path(os.environ["FITNAS_DATA"]) / arguments.data)
    settings = dict(option.split("=", 1) for option in arguments.set)
    config = {"space": "mcunetv2", "set": settings, "data": data, "budget": arguments.budget, "seed": arguments.seed}
    prepared = prepare(RunConfig.checked(**config))
    space = prepared.parts.space
    with tempfile.TemporaryDirectory() as cache:
        size = space.input_size(space.extremes()[1])[1:]
        pictures = load(prepared.description, size, arguments.seed, include_test=True, cache=Path(cache))
        drawn = space.sample(np.random.default_rng([arguments.seed, 9]), 5000)
        priced = prepared.parts.pricer(drawn)
        rows = np.flatnonzero(priced["fits"])[: arguments.networks]
        members = [drawn[int(row)] for row in rows]
        macs = priced["macs_layerwise"][rows].astype(np.float64)
        epochs = arguments.supernet_epochs or default_epochs(len(pictures.train.labels), prepared.parts.sampling)
        assert pictures.test is not None
        vary = augmentation(prepared.description, size)
        scored_on_test = replace(pictures, validation=pictures.test)
        evaluator = TrainEvaluator(space, scored_on_test, Fidelity((arguments.epochs,)), vary)
        kept = arguments.keep and arguments.keep / f"{prepared.description.hash[:10]}-{arguments.epochs}.json"
        each = all_alone(evaluator, members, (101, 102), kept)
        curve = np.array(shared_accuracies(prepared, pictures, epochs, members))
    mean, shared = each.mean(axis=0), curve[-1]
    row = {
        "networks": len(members),
        "stand-alone accuracy": f"{mean.min():.3f} to {mean.max():.3f}",
        "shared-weight accuracy": f"{shared.min():.3f} to {shared.max():.3f}",
        "tau, shared weights": with_interval(shared, mean),
        "tau, MACs alone": with_interval(macs, mean),
        "noise ceiling": with_interval(each[0], each[1]),
    }
    notes = [
        "asked: above MACs alone by at least 0.1, and at least 0.5 where the noise ceiling is above 0.7",
        f"supernet {epochs} epochs, each network alone {arguments.epochs} epochs and two seeds; 95 % intervals",
    ]
    where = ", ".join([arguments.data, arguments.budget, *arguments.set])
    write_section(f"Ranking by shared weights: {where}", [row], notes)
    by_epoch = [
        {
            "epoch": index + 1,
            "shared-weight accuracy, mean": f"{found.mean():.4f}",
            "lowest": f"{found.min():.4f}",
            "tau against stand-alone": f"{kendalltau(found, mean).statistic:.3f}",
        }
        for index, found in enumerate(curve)
    ]
    about = [f"the same {len(members)} networks; trained alone their mean accuracy is {mean.mean():.4f}"]
    write_section(f"Learning curve of shared weights: {where}", by_epoch, about)


if __name__ == "__main__":
    main()
