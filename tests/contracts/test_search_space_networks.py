"""The operator table of every search space against the network that is built, traced operator by operator."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import search_spaces
from predictors.hardware.price import price_table
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace
from tests.contracts.conftest import COMBINED, SET
from tests.contracts.tracing import assert_same, traced, without_weights

Space = SearchSpace[Any]
MANY = ("published_input", "digits")  # a hundred networks each; elsewhere a few


def distinct(space: Space, rng: np.random.Generator, count: int) -> Population:
    """The ends of a space and random members, `count` different networks in all, or as many as are found."""
    drawn = space.population(space.extremes()).concatenate(space.sample(rng, 4 * count))
    networks = {json.dumps(space.blueprint(drawn[row]).arguments): row for row in reversed(range(len(drawn)))}
    return drawn[np.array(sorted(networks.values())[:count], dtype=np.intp)]


def test_the_table_is_the_network(space: Space, named: list[str], facts: str, rng: np.random.Generator) -> None:
    few = facts not in MANY or " ".join(named) in (*COMBINED, *SET)  # a combinator's networks are those of its base
    population = distinct(space, rng, 8 if few else 100)
    table = space.decode(population)
    priced = price_table(table, space.default_runtime, schedule="none")
    for row, architecture in enumerate(population):
        with without_weights():
            network = space.build(architecture)
        trace = assert_same(network, table, row, space.input_size(architecture))
        assert sum(parameter.numel() for parameter in network.parameters()) == priced["params"][row]
        assert trace.flops == 2 * priced["macs_layerwise"][row]


def test_the_trace_counts_as_torchs_own_counter_does(space_name: str) -> None:
    space = space_class(space_name).configured({}, None)
    architecture = space.extremes()[0]
    with torch.device("meta"):
        network = space.build(architecture).eval()
    size = space.input_size(architecture)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros((1, *size), device="meta"))
    assert counter.get_total_flops() == traced(network, size).flops > 0


def test_the_network_runs_on_pictures(space: Space) -> None:
    smallest, _ = space.extremes()
    network = space.build(smallest).eval()
    with torch.no_grad():
        logits = network(torch.zeros((2, *space.input_size(smallest))))
    assert logits.shape == (2, space.settings.classes)
    assert torch.isfinite(logits).all()


def test_the_blueprints_module_stands_alone(space: Space) -> None:
    blueprint = space.blueprint(space.extremes()[0])
    assert blueprint.module.startswith("search_spaces.blocks.")
    source = Path(search_spaces.__path__[0]).joinpath("blocks", f"{blueprint.module.rsplit('.', 1)[1]}.py").read_text()
    imported = re.findall(r"^\s*(?:from|import)\s+(\w+)", source, flags=re.MULTILINE)
    foreign = set(imported) - {"torch"} - set(sys.stdlib_module_names)
    assert not foreign
    json.dumps(blueprint.arguments)


def test_the_supernet_contains_every_member(space: Space, rng: np.random.Generator) -> None:
    if space.default_evaluator != "supernet":
        pytest.skip("the space is not evaluated by a supernet")
    if space.names_trained:
        pytest.skip("as large as all the published anchors together; test_stitched_network says it of small ones")
    supernet: Any = space.supernet().eval()  # type: ignore[attr-defined]
    for architecture in space.population(space.extremes()).concatenate(space.sample(rng, 2)):
        supernet.activate(architecture)
        network = supernet.extract(architecture).eval()
        expected = space.build(architecture).state_dict()
        assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in expected.items()}
        picture = torch.rand((1, *space.input_size(architecture)))
        with torch.no_grad():
            assert torch.allclose(network(picture), supernet(picture), atol=1e-5)


# published members


def test_published_members_are_priced_and_built(space_name: str) -> None:
    for name, member in space_class(space_name).members().items():
        assert member.name == name
        assert member.source
        table = member.table()
        priced = price_table(table, "analytic", schedule="none")
        blueprint = member.blueprint()
        with without_weights():
            network = blueprint.build()
        size = (int(table.in_channels[0, 0]), int(table.in_height[0, 0]), int(table.in_width[0, 0]))
        assert_same(network, table, 0, size)
        assert sum(parameter.numel() for parameter in network.parameters()) == priced["params"][0]
