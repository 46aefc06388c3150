"""Weight gradients of depthwise convolutions on small maps: ours against torch's own, on one thread.

And what a whole training step of a network gains, with the same pictures: the largest of `mcunetv2` for 32x32 pictures.

    python benchmarks/depthwise.py
"""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from results import write_section
from torch.nn import functional

from nas.training.depthwise import fast_depthwise, profits
from nas.training.device import keep_freed_memory
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class

BATCH, CHANNELS, ROUNDS = 64, 144, 7
CPU = torch.device("cpu")


def milliseconds(run: Callable[[], object]) -> float:
    """The median processor time of some calls, after one to warm up."""
    run()
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times)


def both_ways(step: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of processor time, of torch's own way and of ours."""

    def within(context: Callable[[], AbstractContextManager[object]]) -> None:
        with context():
            step()

    return milliseconds(lambda: within(nullcontext)), milliseconds(lambda: within(lambda: fast_depthwise(CPU)))


def one_convolution(pixels: int, kernel: int, stride: int) -> dict[str, object]:
    """Forward and weight gradient of one convolution."""
    pictures = torch.randn(BATCH, CHANNELS, pixels, pixels).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(CHANNELS, 1, kernel, kernel, requires_grad=True)

    def step() -> None:
        out = functional.conv2d(pictures, weight, None, stride, kernel // 2, 1, CHANNELS)
        torch.autograd.grad(out, weight, torch.ones_like(out))

    torchs, ours = both_ways(step)
    used = "" if profits((pixels, pixels), (kernel, kernel)) else " (torch's own is used)"
    what = f"{kernel}x{kernel}, stride {stride}, {pixels}x{pixels} pixels"
    return {
        "what": what,
        "torch, ms": f"{torchs:.2f}",
        "ours, ms": f"{ours:.2f}{used}",
        "ratio": f"{torchs / ours:.1f}",
    }


def whole_step() -> dict[str, object]:
    """Forward and backward pass of a network for 32x32 pictures."""
    facts = InputFacts(channels=3, height=32, width=32, classes=10, pictures=5000)
    space = space_class("mcunetv2").configured({}, facts)
    largest = space.extremes()[1]
    network = space.build(largest).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    pictures = torch.randn(BATCH, *space.input_size(largest)).contiguous(memory_format=torch.channels_last)
    torchs, ours = both_ways(lambda: network(pictures).sum().backward())
    return {
        "what": "training step of the largest network at 32 pixels",
        "torch, ms": f"{torchs:.0f}",
        "ours, ms": f"{ours:.0f}",
        "ratio": f"{torchs / ours:.1f}",
    }


def main() -> None:
    """Measures and writes the section."""
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = [one_convolution(p, k, s) for k in (3, 5, 7) for p in (2, 4, 6, 8) for s in (1, 2)]
    rows.append(whole_step())
    notes = [f"batch {BATCH}, {CHANNELS} channels, one thread, medians of {ROUNDS}; forward pass and weight gradient"]
    write_section("Depthwise convolutions on small maps", rows, notes)


if __name__ == "__main__":
    main()
