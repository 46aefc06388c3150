"""The networks of every space go through `torch.fx.symbolic_trace`, and what comes out computes the same."""

from typing import Any

import pytest
import torch
from torch import fx

from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace
from search_spaces.snnet import SnNet
from tests.contracts.conftest import FACTS
from tests.search_spaces.blocks import test_stitched_mbconv, test_stitched_network, test_stitched_swin

Space = SearchSpace[Any]
STITCHED = {"transformers": test_stitched_network, "convolutions": test_stitched_mbconv, "windows": test_stitched_swin}


@pytest.fixture(scope="module")
def facts() -> str:
    """Small pictures alone: networks for others differ in size."""
    return "digits"


def agrees(space: Space, architecture: Any) -> None:
    """One trace serves any number of pictures, to the last bit."""
    torch.manual_seed(0)
    network = space.build(architecture).eval()
    traced = fx.symbolic_trace(network)
    pictures = torch.randn(3, *space.input_size(architecture))
    with torch.no_grad():
        assert torch.equal(traced(pictures), network(pictures))
        assert torch.equal(traced(pictures[:1]), network(pictures[:1]))
        assert network(pictures).std() > 0


def test_a_network_of_every_space(space: Space, rng: Any) -> None:
    if space.names_trained:
        pytest.skip("the same code on small anchors is quicker")
    agrees(space, space.sample(rng, 1)[0])


@pytest.mark.parametrize("reduction", ["false", "true"])
def test_relative_positions(rng: Any, reduction: str) -> None:
    options = {"preset": "T", "resolution": "48", "reduction": reduction}
    space = space_class("vit").configured(options, FACTS["digits"])
    agrees(space, space.sample(rng, 1)[0])


@pytest.mark.parametrize("kind", STITCHED)
def test_stitched_networks(rng: Any, kind: str) -> None:
    family: Any = STITCHED[kind]
    space = SnNet.restored(family.settings(family.network(8), family.network(12)))
    for architecture in space.sample(rng, 3):
        agrees(space, architecture)
