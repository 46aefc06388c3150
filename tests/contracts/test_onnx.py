"""The networks of every space as ONNX: onnxruntime computes what torch does."""

from typing import Any

import pytest
import torch
from torch import nn

from nas.onnx_door import OnnxNetwork, check, fixed_onnx_file, onnx_file
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace
from search_spaces.snnet import SnNet
from tests.contracts.conftest import FACTS
from tests.search_spaces.blocks import test_stitched_mbconv, test_stitched_network

Space = SearchSpace[Any]
# of each module that builds networks; test_exporters.py has a mobile network, tests/nas/test_onnx_door.py a transformer
FOR_ANY_BATCH = ["tinyvit", "resnet", "stitched transformers", "stitched convolutions"]


def stitched(kind: str) -> Space:
    """Routes through two small networks with random weights; the first stitch among them."""
    family = test_stitched_network if kind == "stitched transformers" else test_stitched_mbconv
    return SnNet.restored(family.settings(family.network(16), family.network(24)))


def smallest(space: Space) -> tuple[nn.Module, tuple[int, int, int]]:
    """A network with random weights and its input; of stitched ones one with a stitch."""
    architecture = space.extremes()[0]
    if space.names_trained:
        around = space.neighbours(architecture)
        stitches = [near for near in around if "+" in str(near.options["route"])]
        architecture = stitches[0]
    torch.manual_seed(0)
    network = space.build(architecture).eval()
    return network, space.input_size(architecture)


@pytest.fixture(scope="module")
def facts() -> str:
    """Small pictures alone: networks for others differ in size."""
    return "digits"


def test_a_network_of_every_space(space: Space) -> None:
    if space.names_trained:
        space = stitched("stitched transformers")
    network, size = smallest(space)
    loaded = OnnxNetwork(fixed_onnx_file(network, size, 2))
    probe = torch.randn(2, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network(probe)
    allowed = 1e-4 * max(1.0, float(expected.abs().max()))
    assert float((loaded(probe) - expected).abs().max()) <= allowed


@pytest.mark.parametrize("name", FOR_ANY_BATCH)
def test_any_number_of_pictures(name: str) -> None:
    space = stitched(name) if name.startswith("stitched") else space_class(name).configured({}, FACTS["digits"])
    network, size = smallest(space)
    assert check(onnx_file(network, size), network, size) < 1e-3
