"""TinyNet's rule against the inverse of EfficientNet's, at equal MACs: which shrinks a network better?

For each data set both rules are asked for their largest network of at most `--macs`; each is trained alone from random
weights with the same recipe and several seeds, and scored on test pictures. The difference is that of the means, with a
95 % interval over the seeds (Welch's t). Whoever wins is printed.

    FITNAS_DATA=... python benchmarks/tinynet_rule.py --macs 5e6 --epochs 25 --seeds 0 1 2 3 4
"""

import argparse
import functools
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from results import write_section
from scipy.stats import ttest_ind

from nas.core.budget import Budget
from nas.core.fidelity import Fidelity
from nas.evaluation.train import TrainEvaluator
from nas.pricing import Pricer
from nas.training.data import augmentation, describe, load
from nas.training.device import cores
from search_spaces.core.architecture import Architecture
from search_spaces.core.registry import space_class

RULES = ("tiny", "giant")
DATA = ("vision/sign_digits_96.zip", "vision/person32_cifar100.npz")


def accuracy(evaluator: TrainEvaluator, job: tuple[Architecture, int]) -> float:
    """Test accuracy of one network trained alone with a seed."""
    architecture, evaluator.seed = job
    return evaluator.evaluate(architecture)["top1"]


def compared(data: str, most_macs: float, epochs: int, seeds: list[int]) -> dict[str, Any]:
    """A row: both networks, their accuracies, the difference."""
    description = describe(str(Path(os.environ["FITNAS_DATA"]) / data))
    limits = {"macs": most_macs}
    networks, macs, evaluators = {}, {}, {}
    for rule in RULES:
        space = space_class("tinynet").configured({"rule": rule}, description.facts)
        pricer = Pricer(space, "analytic", Budget(limits), "none")
        networks[rule] = space.propose(limits, pricer)[0]
        macs[rule] = pricer.one(networks[rule])["macs"]
        size = space.input_size(space.extremes()[1])[1:]
        with tempfile.TemporaryDirectory() as cache:
            pictures = load(description, size, 0, include_test=True, cache=Path(cache))
        assert pictures.test is not None
        on_test = replace(pictures, validation=pictures.test)
        evaluators[rule] = TrainEvaluator(space, on_test, Fidelity((epochs,)), augmentation(description, size))
    found = {}
    with ProcessPoolExecutor(cores()) as pool:
        for rule in RULES:
            jobs = [(networks[rule], seed) for seed in seeds]
            found[rule] = 100 * np.array(list(pool.map(functools.partial(accuracy, evaluators[rule]), jobs)))
            print(data, rule, dict(networks[rule].options), found[rule], flush=True)
    difference = found["tiny"].mean() - found["giant"].mean()
    low, high = ttest_ind(found["tiny"], found["giant"], equal_var=False).confidence_interval(0.95)
    row: dict[str, Any] = {"data": data}
    for rule in RULES:
        depth, pixels, width = (networks[rule].options[name] for name in ("depth", "resolution", "width"))
        row[rule] = f"{found[rule].mean():.2f} % ({macs[rule] / 1e6:.2f} M MACs: {pixels} px, d {depth}, w {width})"
    winner = "tiny" if low > 0 else "giant" if high < 0 else "neither, within the interval"
    return row | {"difference in points": f"{difference:+.2f} ({low:+.2f} to {high:+.2f})", "better": winner}


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--macs", type=float, default=5e6)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", nargs="+", default=DATA)
    arguments = parser.parse_args()
    rows = [compared(data, arguments.macs, arguments.epochs, arguments.seeds) for data in arguments.data]
    notes = [
        "asked: the difference with its interval, the winner reported, whoever it is",
        f"{arguments.epochs} epochs from random weights, equal recipe, seeds {', '.join(map(str, arguments.seeds))}; "
        "test accuracy, 95 % intervals",
    ]
    write_section(f"TinyNet's rule against the inverse giant at {arguments.macs / 1e6:g} M MACs", rows, notes)


if __name__ == "__main__":
    main()
