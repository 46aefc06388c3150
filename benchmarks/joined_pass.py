"""Several sub-networks in one pass, against one after the other on the same parts of the batch.

Both give the same gradients (tests/contracts/test_joined_supernets.py). Times of the processor in one thread, the two
steps of a pair right after each other on the same random members; the ratio is the median of pairs. Beside it: a step
of the largest network alone on the whole batch.

    python benchmarks/joined_pass.py --steps 8
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from results import write_section
from torch.nn import functional

from nas.shared_weights import BATCH
from nas.training.device import keep_freed_memory
from search_spaces.core.architecture import Architecture
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class

FACTS = {
    "8-pixel digits": InputFacts(channels=1, height=8, width=8, classes=10, pictures=1797),
    "96-pixel pictures": InputFacts(channels=3, height=96, width=96, classes=10, pictures=1344),
}

Step = Callable[[Sequence[Architecture], torch.Tensor], None]


def seconds(supernet: Any, step: Step, members: Sequence[Architecture], pictures: torch.Tensor) -> float:
    """Of the processor, for one step from empty gradients."""
    supernet.zero_grad()
    began = time.process_time()
    step(members, pictures)
    return time.process_time() - began


def picture_batch(size: Sequence[int]) -> torch.Tensor:
    """Random, as a training has it: channels last."""
    return torch.randn(BATCH, *size).contiguous(memory_format=torch.channels_last)


def measured(name: str, data: str, subnets: int, steps: int) -> dict[str, object]:
    """One row."""
    space = space_class(name).configured({}, FACTS[data])
    supernet: Any = space.supernet().to(memory_format=torch.channels_last).train()  # type: ignore[attr-defined]
    _, largest = space.extremes()
    whole = picture_batch(space.input_size(largest))
    labels = torch.arange(BATCH) % 10
    rng = np.random.default_rng(0)

    def one_pass(members: Sequence[Architecture], pictures: torch.Tensor) -> None:
        supernet.activate_many(members)
        functional.cross_entropy(supernet(pictures), labels).backward()

    def slices(members: Sequence[Architecture], pictures: torch.Tensor) -> None:
        count = len(members)
        for member, part, own in zip(members, pictures.tensor_split(count), labels.tensor_split(count), strict=True):
            supernet.activate(member)
            loss = functional.cross_entropy(supernet(part), own, reduction="sum") / BATCH
            loss.backward()

    found = []
    for _ in range(steps + 2):  # two to warm up
        drawn = list(space.sample(rng, 20 * subnets))
        size = space.input_size(drawn[0])
        members = [member for member in drawn if space.input_size(member) == size][:subnets]
        pictures = picture_batch(size)
        alone = seconds(supernet, slices, [largest], whole)
        pair = [seconds(supernet, way, members, pictures) for way in (one_pass, slices)]
        found.append([*pair, alone])
    times = np.array(found[2:])
    return {
        "space": f"{name}, {data}",
        "sub-networks": subnets,
        "one pass": f"{1000 * np.median(times[:, 0]):.0f} ms",
        "slices": f"{1000 * np.median(times[:, 1]):.0f} ms",
        "ratio": f"{np.median(times[:, 0] / times[:, 1]):.2f}",
        "of a step of the largest": f"{np.median(times[:, 0] / times[:, 2]):.2f}",
    }


def main() -> None:
    """Measures and writes the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(0)
    table = [measured(n, d, s, arguments.steps) for d in FACTS for n in ("vit", "mcunetv2") for s in (2, 4, 8)]
    notes = [
        f"medians of {arguments.steps} steps of {BATCH} pictures, time of the processor in one thread",
        "a ratio above 1: one pass is slower. It computes zeros that slices leave away, in fewer and larger calls",
    ]
    write_section("Several sub-networks in one pass against slices", table, notes)


if __name__ == "__main__":
    main()
