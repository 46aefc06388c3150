"""int8 networks three ways: the integer reference, onnxruntime on the exported file, and floats that are rounded.

Small networks are trained from random weights on real pictures, quantized with 256 training pictures, and scored on
the test pictures. Asked: onnxruntime gives at least 99.5 % of them the class that the integer reference gives. Times
are of onnxruntime on one thread, float and int8 file in turns, the median of the rounds.

    FITNAS_DATA=... python benchmarks/int8_agreement.py --seeds 0 1
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from results import write_section
from torch import Tensor, nn

from nas.onnx_door import INPUT, OUTPUT, OnnxNetwork, fixed_onnx_file, fixed_quantized_onnx_file, session
from nas.quantization.integer import IntegerNetwork
from nas.quantization.qdq import qdq_network
from nas.quantization.quantized import Quantized, quantize
from nas.training.data import Pictures, augmentation, describe, load
from nas.training.device import random_numbers
from nas.training.loop import SCORE_BATCH, SCRATCH_RATE, Fit, fit, logits_of, prepare
from nas.training.recalibrate import calibration_sample, even_parts
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.policy import QuantizationPolicy, quantizable_names
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

ASKED = 0.995
ROUNDS, CALLS = 15, 10


@dataclass(frozen=True)
class Case:
    """A space on a data set; `at`: pixels of a side."""

    space: str
    data: str
    at: int
    epochs: int


CASES = (
    Case("mcunetv2", "vision/person32_cifar100.npz", 32, 6),
    Case("tinynet", "vision/person32_cifar100.npz", 32, 4),
    Case("vit", "digits", 16, 30),
    Case("mcunetv2", "vision/sign_digits_96.zip", 48, 25),
)


class Called(nn.Module):
    """A function as a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits."""
        return self.function(pictures)


def pictures_and_space(case: Case, folder: Path, seed: int) -> tuple[Pictures, SearchSpace[Any], Any]:
    """The data as they are read, and the space for them."""
    description = describe(case.data if case.data == "digits" else folder / case.data)
    pictures = load(description, (case.at, case.at), seed, include_test=True)
    channels, classes = pictures.train.images.shape[1], len(pictures.class_names)
    facts = InputFacts(channels, case.at, case.at, classes, len(pictures.train.images))
    options = {"preset": "micro"} if case.space == "vit" else {"resolutions": str(case.at)}
    return pictures, space_class(case.space).configured(options, facts), description


def milliseconds(first: bytes, second: bytes, pictures: NDArray[np.float32]) -> tuple[float, float]:
    """Of both files for these pictures at once."""
    runs = [session(content) for content in (first, second)]
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for which, run in enumerate(runs):
            run.run([OUTPUT], {INPUT: pictures})
            began = time.perf_counter()
            for _ in range(CALLS):
                run.run([OUTPUT], {INPUT: pictures})
            times[which].append(1000 * (time.perf_counter() - began) / CALLS)
    return statistics.median(times[0]), statistics.median(times[1])


def careless(content: bytes) -> Callable[[Tensor], Tensor]:
    """Onnxruntime as it is without the option for right sums."""
    plain = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda pictures: torch.from_numpy(plain.run([OUTPUT], {INPUT: pictures.numpy()})[0])


def trained(case: Case, folder: Path, seed: int) -> tuple[nn.Module, Pictures, SearchSpace[Any], Any]:
    """A random network of the space after its training."""
    pictures, space, description = pictures_and_space(case, folder, seed)
    architecture = space.sample(np.random.default_rng([seed, 11]), 1)[0]
    with random_numbers(seed):
        network = space.build(architecture)
    how = Fit(case.epochs, SCRATCH_RATE, augmentation=augmentation(description, pictures.size))
    fit(network, pictures, how, size=(case.at, case.at), seed=seed, accelerator="cpu", threads=1)
    return network.eval(), pictures, space, architecture


def quantized(network: nn.Module, pictures: Pictures, space: SearchSpace[Any], architecture: Any) -> Quantized:
    """Everything int8."""
    table = space.decode(space.population([architecture]))
    sample = torch.from_numpy(calibration_sample(pictures.train.images, 0))
    batches = [
        prepare(sample[part], pictures.size, pictures.mean, pictures.std)
        for part in even_parts(len(sample), SCORE_BATCH)
    ]
    return quantize(network, quantizable_names(table), QuantizationPolicy.uniform(table), batches)


def measured(case: Case, folder: Path, seed: int) -> dict[str, object]:
    """One row."""
    network, pictures, space, architecture = trained(case, folder, seed)
    made = quantized(network, pictures, space, architecture)
    size, test = space.input_size(architecture), pictures.test
    assert test is not None
    exported = qdq_network(made)
    content = fixed_quantized_onnx_file(exported, size, 1)
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "fp32": network,
        "simulated": made.simulated(),
        "reference": IntegerNetwork.of(made),
        "onnxruntime": one_by_one(OnnxNetwork(content)),
        "careless": one_by_one(careless(content)),
    }
    classes = {
        name: logits_of(Called(way), test.images, size[1:], pictures.mean, pictures.std).argmax(axis=1)
        for name, way in ways.items()
    }
    floats, integers = milliseconds(
        fixed_onnx_file(network, size, 1), content, np.zeros((1, *size), dtype=np.float32) + np.float32(0.5)
    )
    accuracy = {name: f"{100 * float((found == test.labels).mean()):.2f}" for name, found in classes.items()}
    same = {name: f"{100 * float((classes[name] == classes['reference']).mean()):.2f}" for name in classes}
    return {
        "space": case.space,
        "data": Path(case.data).stem,
        "seed": seed,
        "test pictures": len(test.labels),
        "accuracy fp32": accuracy["fp32"],
        "simulated": accuracy["simulated"],
        "reference": accuracy["reference"],
        "onnxruntime": accuracy["onnxruntime"],
        "same class, %": same["onnxruntime"],
        "without the option, %": same["careless"],
        "simulated as reference, %": same["simulated"],
        "fp32 ms": f"{floats:.3f}",
        "int8 ms": f"{integers:.3f}",
    }


def one_by_one(way: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Of a file for one picture."""
    return lambda pictures: torch.cat([way(picture.contiguous()) for picture in pictures.split(1)])


def main() -> None:
    """Measures each case with each seed and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--cases", type=int, nargs="+", default=list(range(len(CASES))))
    options = parser.parse_args()
    folder = Path(os.environ["FITNAS_DATA"])
    rows = []
    for number in options.cases:
        for seed in options.seeds:
            rows.append(measured(CASES[number], folder, seed))
            print(rows[-1], flush=True)
    least = min(float(str(row["same class, %"])) for row in rows)
    counts = [int(str(row["test pictures"])) for row in rows]
    shares = [float(str(row["same class, %"])) for row in rows]
    together = sum(count * share for count, share in zip(counts, shares, strict=True)) / sum(counts)
    write_section(
        "int8 networks: integer reference and onnxruntime",
        rows,
        [
            f"asked: the same class on at least {100 * ASKED:.1f} % of the test pictures; reached {together:.2f} % of "
            f"all {sum(counts):,} pictures, {least:.2f} % in the worst row",
            "same class, without the option, simulated as reference: share of the test pictures that get the class "
            "which the reference gives; the option is session.x64quantprecision=1, which this project always sets",
            "times: one picture, one thread, onnxruntime, both files in turns, median of the rounds",
        ],
    )


if __name__ == "__main__":
    main()
