"""What it takes to switch a stitched family to another budget, against loading the network of that budget.

As exported: the family of DeiT-Ti, -S and -B, and one of EfficientNet-B0 in three widths, whose batch norms get the
statistics of each route (random weights: switching does not look at them). Every switch goes to a random budget; the
peer copies the weights of a route's plain network from memory, no disk involved. The first answer after a switch is
compared with a later one: switching must leave no work for it.

    python benchmarks/stitch_switching.py
"""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from results import write_section

import nas
from search_spaces.blocks.stitched_network import ElasticNetwork
from search_spaces.core.architecture import Architecture

SWITCHES, LOADS, ANSWERS, SEED = 2000, 20, 10, 0
WIDTHS = (0.2, 0.41, 0.8)


def convolutional() -> Any:
    """`snnet` over EfficientNet-B0 in three widths, 224 pixels."""
    space, anchors = nas.space("tinynet", resolutions="224"), []
    for width in WIDTHS:
        options = {"resolution": 224, "depth": 1.0, "width": width}
        blueprint = space.blueprint(Architecture(space.name, space.settings.model_dump(mode="json"), options))
        anchors.append({"name": f"w{width}", "factory": blueprint.factory, "network": blueprint.arguments})
    return nas.space("snnet", anchors=json.dumps(anchors))


def milliseconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def row_of(name: str, space: Any) -> dict[str, Any]:
    """The family of a space, switched, and the peer."""
    routes = [space.route_spec(route, work) for route, work in zip(space.routes, space.works, strict=True)]
    family = ElasticNetwork(space.family.build, space.anchors, routes).eval()
    rng = np.random.default_rng(SEED)
    budgets = rng.uniform(min(space.works), max(space.works), SWITCHES)
    switches = np.array([milliseconds(lambda to=budget: family.set_budget(to)) for budget in budgets])
    plain = [space.build(space.member(route)) for route in ("A", "C")]
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
    return {
        "family": name,
        "switches": SWITCHES,
        "median in ms": f"{np.median(switches):.3f}",
        "99 % below": f"{np.quantile(switches, 0.99):.3f}",
        "longest": f"{switches.max():.3f}",
        "loading a network's weights, median": f"{np.median(loads):.1f}",
        "first answer / a later one, median": f"{np.median(np.divide(first, later)):.2f}",
    }


def main() -> None:
    """Measures and writes the section."""
    spaces = {"DeiT-Ti, -S, -B": nas.space("snnet"), "EfficientNet-B0, three widths": convolutional()}
    rows = [row_of(name, space) for name, space in spaces.items()]
    write_section("Switching a stitched family", rows, [f"seed {SEED}; asked: under 1 ms, no reload"])


if __name__ == "__main__":
    main()
