"""What was promised of networks on microcontrollers, beside what the runtimes themselves measure. One function a row.

    FITNAS_DATA=... python benchmarks/on_device.py --networks 50

TensorFlow Lite Micro: random architectures of `mcunetv2` with random weights, batch norms and ranges of real pictures,
written as int8 files; the arena that its interpreter reports, and logits on real test pictures in it and in LiteRT's
reference kernels.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from results import write_section

from nas.deployment.samples import sample_inputs
from nas.importing import import_network
from nas.quantization.integer import IntegerNetwork
from nas.quantization.quantized import quantize
from nas.tflite_door.interpreters import INTERPRETERS, TFLM, execute
from nas.tflite_door.writing import tflite_file
from nas.training.data import Pictures, describe, load
from nas.training.loop import batches
from nas.training.recalibrate import recalibrate
from predictors.hardware.memory.tflm import head_bytes, least_arena_bytes, tail_bytes
from predictors.hardware.price import price_population
from search_spaces.core.policy import QuantizationPolicy, quantizable_names
from search_spaces.core.registry import space_class

DATA = "vision/sign_digits_96.zip"
CALIBRATED_WITH = 64
PRICED = 10_000
# head and tail that the interpreter printed for files of others
FILES = {"vww_96_int8": (73_728, 29_952), "person_detect": (55_296, 29_968), "ic_resnet_int8": (49_152, 6_832)}

Row = dict[str, object]


@dataclass(frozen=True)
class Measured:
    """Of one architecture: bytes promised and measured, the least that any plan needs, logits and those that differ."""

    promised: tuple[int, int]
    measured: tuple[int, int]
    least: int
    logits: int
    differing: dict[str, int]


def micro_networks(networks: int, seed: int) -> Iterator[Measured]:
    """Random architectures, one by one."""
    description = describe(str(Path(os.environ["FITNAS_DATA"]) / DATA))
    space = space_class("mcunetv2").configured({}, description.facts)
    with tempfile.TemporaryDirectory() as folder:
        pictures = load(
            description, space.input_size(space.extremes()[1])[1:], 0, include_test=True, cache=Path(folder)
        )
        for number, architecture in enumerate(space.sample(np.random.default_rng(seed), networks)):
            torch.manual_seed(number)
            found = micro_network(space, architecture, pictures, Path(folder) / "model.tflite")
            print(architecture.id, found, flush=True)
            yield found


def micro_network(space: Any, architecture: Any, pictures: Pictures, path: Path) -> Measured:
    """Built, quantized, written and executed."""
    network, size = space.build(architecture), space.input_size(architecture)
    table = space.decode(space.population([architecture]))
    known = list(batches(pictures.train.images[:CALIBRATED_WITH], size[1:], pictures.mean, pictures.std))
    recalibrate(network, known)
    quantized = quantize(network.eval(), quantizable_names(table), QuantizationPolicy.uniform(table), known)
    integers = IntegerNetwork.of(quantized, integer_logits=True)
    written = tflite_file(integers, size)
    path.write_bytes(written.content)
    values = integers.integers(sample_inputs(pictures, size[1:]))
    inputs = values[written.given].permute(0, 2, 3, 1).contiguous().numpy().astype(np.int8)
    expected: NDArray[Any] = values[integers.output].flatten(1).numpy()
    done = {name: execute(path, inputs, name) for name in INTERPRETERS}
    return Measured(
        (int(head_bytes(table)[0]), int(tail_bytes(table)[0])),
        (done[TFLM].head or 0, done[TFLM].tail or 0),
        int(least_arena_bytes(table)[0] - tail_bytes(table)[0]),
        expected.size,
        {name: int((each.outputs != expected).sum()) for name, each in done.items()},
    )


def arena_row(found: list[Measured], what: str, of: Callable[[tuple[int, int]], int]) -> Row:
    """How far off the promise is."""
    off = [abs(of(each.promised) / of(each.measured) - 1) for each in found]
    exact = sum(of(each.promised) == of(each.measured) for each in found)
    sizes = [of(each.measured) for each in found]
    return {
        "what": f"TFLM {what}, {len(found)} random mcunetv2 architectures, promised against measured",
        "asked": "within 1 %",
        "measured": f"worst {100 * max(off):.3f} %, {exact} exact; {min(sizes):,} to {max(sizes):,} B",
    }


def logits_row(found: list[Measured], name: str) -> Row:
    """Equal bits."""
    differing, logits = sum(each.differing[name] for each in found), sum(each.logits for each in found)
    what = f"logits in {INTERPRETERS[name]} that differ from the integer reference, real test pictures"
    return {"what": what, "asked": "0", "measured": f"{differing} of {logits:,}"}


def planner_row(found: list[Measured]) -> Row:
    """What the greedy planner wastes."""
    over = np.array([each.measured[0] / each.least for each in found])
    told = f"{int((over == 1).sum())} of {len(over)} at it, worst {over.max():.3f}"
    return {"what": "TFLM head over the bytes alive at the neediest operator", "asked": "", "measured": told}


def file_row(name: str) -> Row:
    """A file of others, imported and priced."""
    table = import_network(Path(os.environ["FITNAS_DATA"]) / "mcu" / "models" / f"{name}.tflite").table
    head, tail = int(head_bytes(table)[0]), int(tail_bytes(table)[0])
    known = FILES[name]
    told = f"head {head:,} ({head - known[0]:+,} B), tail {tail:,} ({100 * (tail / known[1] - 1):+.1f} %)"
    return {"what": f"arena of {name}.tflite", "asked": f"head {known[0]:,}, tail {known[1]:,}", "measured": told}


def speed_row() -> Row:
    """Architectures that are priced in a second."""
    space = space_class("mcunetv2").configured({}, None)
    population = space.sample(np.random.default_rng(0), PRICED)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        price_population(population, TFLM)
        seconds.append(time.perf_counter() - begin)
    what = f"architectures priced a second, runtime tflm, {PRICED:,} of mcunetv2, one thread"
    return {"what": what, "asked": "some thousands", "measured": f"{PRICED / min(seconds):,.0f}"}


def micro(networks: int, seed: int) -> None:
    """The section of TensorFlow Lite Micro."""
    found = list(micro_networks(networks, seed))
    rows = [
        arena_row(found, "arena head", lambda pair: pair[0]),
        arena_row(found, "arena tail", lambda pair: pair[1]),
        arena_row(found, "arena", sum),
        *(logits_row(found, name) for name in INTERPRETERS),
        planner_row(found),
        *(file_row(name) for name in FILES),
        speed_row(),
    ]
    write_section("On the device: TensorFlow Lite Micro", rows, [
        f"seed {seed}; random weights, batch norms and ranges of {CALIBRATED_WITH} pictures of sign_digits",
        "the interpreter is the 64-bit one from PyPI; a microcontroller has shorter pointers, and a smaller tail",
        "strides of 2: kernels are widened by zeros instead of a padded copy of the map, so that no head holds one",
    ])  # fmt: skip


def main() -> None:
    """Measures and writes the sections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    micro(options.networks, options.seed)


if __name__ == "__main__":
    main()
