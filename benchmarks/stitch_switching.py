"""What it takes to switch a stitched family to another budget, against loading the network of that budget.

The family is that of DeiT-Ti, -S and -B (random weights: switching does not look at them). Every switch goes to a
random budget; the peer copies the weights of the route's plain network from memory, no disk involved. The first answer
after a switch is compared with a later one: switching must leave no work for it.

    python benchmarks/stitch_switching.py
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from results import write_section

import nas

SWITCHES, LOADS, ANSWERS, SEED = 2000, 20, 10, 0


def milliseconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def main() -> None:
    """Measures and writes the section."""
    space: Any = nas.space("snnet")
    rng = np.random.default_rng(SEED)
    family = space.supernet().eval()
    budgets = rng.uniform(min(space.works), max(space.works), SWITCHES)
    switches = np.array([milliseconds(lambda to=budget: family.set_budget(to)) for budget in budgets])
    plain = [
        family.extract(space.member(space.routes[number].name)) for number in rng.integers(len(space.routes), size=2)
    ]
    states = [network.state_dict() for network in plain]
    loads = [
        milliseconds(lambda network=plain[at % 2], state=states[at % 2]: network.load_state_dict(state))
        for at in range(LOADS)
    ]
    picture, first, later = torch.zeros(1, *space.input_size(space.extremes()[0])), [], []
    with torch.no_grad():
        for budget in budgets[:ANSWERS]:
            family.set_budget(budget)
            first.append(milliseconds(lambda: family(picture)))
            later.append(milliseconds(lambda: family(picture)))
    row = {
        "switches": SWITCHES,
        "median in ms": f"{np.median(switches):.3f}",
        "99 % below": f"{np.quantile(switches, 0.99):.3f}",
        "longest": f"{switches.max():.3f}",
        "loading a network's weights, median": f"{np.median(loads):.1f}",
        "first answer / a later one, median": f"{np.median(np.divide(first, later)):.2f}",
    }
    write_section("Switching a stitched family", [row], [f"seed {SEED}; asked: under 1 ms, no reload"])


if __name__ == "__main__":
    main()
