"""How many architectures a second are priced on one core, against building each network and counting it with PyTorch.

Both in one run, so that the ratio does not depend on the machine:

    OMP_NUM_THREADS=1 python benchmarks/pricing.py

The peer counts multiply-accumulates alone, on the meta device (no arithmetic, no weights); we price every metric under
every patch schedule.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from results import write_section
from torch.utils.flop_counter import FlopCounterMode

import nas
from search_spaces.core.architecture import Architecture
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

FLOOR_PER_SECOND = 50_000
GOAL_PER_SECOND = 150_000
FLOOR_RATIO = 500
LARGE_SPACES, FLOOR_OF_OTHERS = ("tinynet", "tinyvit", "vit"), 20_000  # those of more than 100,000 members


def seconds(call: Callable[[], object], repeats: int) -> float:
    """The shortest wall time of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def count_by_building(space: SearchSpace[Any], architecture: Architecture) -> int:
    """Multiply-accumulates of the network itself, as `torch.utils.flop_counter` counts them."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        space.build(architecture).eval()(torch.zeros((1, *space.input_size(architecture))))
    return int(counter.get_total_flops()) // 2


def build_and_check(population: Population) -> float:
    """Seconds a network by building; `SystemExit` where a count differs from the price."""
    priced = nas.price(population.space, population, schedule="none")["macs"]
    start = time.perf_counter()
    counted = [count_by_building(population.space, architecture) for architecture in population]
    each = (time.perf_counter() - start) / len(population)
    if counted != priced.tolist():
        raise SystemExit("the networks that were built have other MACs than their prices say")
    return each


def main() -> None:
    """Prints one line a figure, and writes them to RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", type=int, default=20_000)
    parser.add_argument("--modules", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--budget", default="sram=64k,flash=1M")
    options = parser.parse_args()

    torch.set_num_threads(1)
    space = nas.space("mcunetv2")
    population = space.sample(np.random.default_rng(0), options.architectures)
    nas.price(space, population[:2000], budget=options.budget)

    rate = len(population) / seconds(lambda: nas.price(space, population, budget=options.budget), options.repeats)
    freely = len(population) / seconds(lambda: nas.price(space, population), 2)
    decoding = len(population) / seconds(lambda: decode_in_pieces(population), options.repeats)
    ratio = rate * build_and_check(population[: options.modules])

    floor = f"at least {FLOOR_PER_SECOND:,}, goal {GOAL_PER_SECOND:,}"
    rows = [
        {"what": f"nas.price, budget {options.budget}", "measured": f"{rate:,.0f}/s", "wanted": floor},
        {"what": "nas.price, no budget: least peak", "measured": f"{freely:,.0f}/s"},
        {"what": "decoding alone", "measured": f"{decoding:,.0f}/s"},
        {"what": "against building and counting", "measured": f"{ratio:,.0f} x", "wanted": f"at least {FLOOR_RATIO} x"},
    ]
    for name in LARGE_SPACES:
        other = nas.space(name)
        sampled = other.sample(np.random.default_rng(0), options.architectures)
        nas.price(other, sampled[:2000])
        found = len(sampled) / seconds(lambda other=other, sampled=sampled: nas.price(other, sampled), 2)
        wanted = f"at least {FLOOR_OF_OTHERS:,}"
        rows.append({"what": f"{name}, no budget", "measured": f"{found:,.0f}/s", "wanted": wanted})
    note = (
        f"{options.architectures:,} random architectures of each space at its published input (mcunetv2: full), its "
        "own runtime, one core"
    )
    write_section("Pricing: every metric, all patch schedules", rows, [note])


def decode_in_pieces(population: Population) -> None:
    """Operator tables of the whole population."""
    for start in range(0, len(population), 2000):
        population.space.decode(population[start : start + 2000])


if __name__ == "__main__":
    main()
