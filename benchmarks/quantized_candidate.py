"""What scoring a network in its bits costs beside scoring it in floats, in a search with shared weights.

Both extract the network and set its batch norms anew; the quantized one is captured, its ranges are measured and its
validation pictures are answered with everything rounded. Every network is a new one, scored in turns, on one thread.

    PYTHONPATH=. FITNAS_DATA=... python benchmarks/quantized_candidate.py --networks 20
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from results import write_section

from nas.evaluation.supernet import SupernetEvaluator
from nas.training.checkpoint import to_arrays
from nas.training.data import describe, load
from nas.training.recalibrate import calibration_sample
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.registry import space_class

DATA = "person32_cifar100.npz"
SPACES = {"mcunetv2": {"resolutions": "32"}, "resnet": {}, "vit": {}}


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [beside(name, told, arguments.networks) for name, told in SPACES.items()]
    write_section(
        "A quantized candidate beside one in floats",
        rows,
        ["asked: at most 1.5 times", "random shared weights: what they answer takes no other time"],
    )


def beside(name: str, told: dict[str, str], networks: int) -> dict[str, object]:
    """One line of the table."""
    description = describe(Path(os.environ["FITNAS_DATA"]) / "vision" / DATA)
    space = space_class(f"{name}+quantization").configured({**told, "quantize": "fp32,int8"}, description.facts)
    assert isinstance(space, WithQuantization)
    pictures = load(description, space.input_size(space.extremes()[1])[1:], 0)
    shown: dict[str, Any] = {
        "weights": to_arrays(cast("torch.nn.Module", space.inner.supernet())),
        "calibration": calibration_sample(pictures.train.images, 0),
        "images": pictures.validation.images,
        "labels": pictures.validation.labels,
        "mean": pictures.mean,
        "std": pictures.std,
    }
    quantized, floats = SupernetEvaluator(space, **shown), SupernetEvaluator(space.inner, **shown)
    sampled = list(space.sample(np.random.default_rng(0), networks + 1))
    seconds = np.zeros((len(sampled), 2))
    for row, architecture in enumerate(sampled):
        for column, (evaluator, one) in enumerate(
            ((floats, space.inner_architecture(architecture)), (quantized, architecture))
        ):
            began = time.perf_counter()
            evaluator.evaluate(one)
            seconds[row, column] = time.perf_counter() - began
    in_floats, in_bits = np.median(seconds[1:], axis=0)  # the first pays for the supernet and the resized pictures
    return {
        "space": name,
        "validation pictures": len(pictures.validation.labels),
        "s in floats": f"{in_floats:.3f}",
        "s in bits": f"{in_bits:.3f}",
        "ratio of medians": f"{in_bits / in_floats:.2f}",
        "ratio, worst network": f"{(seconds[1:, 1] / seconds[1:, 0]).max():.2f}",
    }


if __name__ == "__main__":
    main()
