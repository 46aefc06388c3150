"""Plain MBConv networks: counts by hand, shapes, residuals, initial weights."""

import ast
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.blocks import mbconv
from search_spaces.blocks.mbconv import ConvNorm, InvertedResidual, MbconvNetwork, SqueezeExcite


def block(inputs: int, outputs: int, **changes: Any) -> Any:
    spec = {"in": inputs, "mid": 2 * inputs, "out": outputs, "kernel": 3, "stride": 1, "residual": False, "squeeze": 0}
    return {**spec, **changes}


def tiny(*blocks: Any, mix: int = 0, stem: int = 4) -> MbconvNetwork:
    return MbconvNetwork([3, 16, 16], {"out": stem, "kernel": 3, "stride": 2}, list(blocks), mix, classes=5)


def parameters(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_parameters_of_a_tiny_network_counted_by_hand() -> None:
    network = tiny(block(4, 6, mid=12, kernel=5, stride=2, squeeze=2), mix=8)
    stem = 3 * 4 * 9 + 2 * 4
    expand, depthwise, project = 4 * 12 + 2 * 12, 12 * 25 + 2 * 12, 12 * 6 + 2 * 6
    squeeze = (12 * 2 + 2) + (2 * 12 + 12)
    mix, classifier = 6 * 8 + 2 * 8, 8 * 5 + 5
    assert parameters(network) == stem + expand + depthwise + squeeze + project + mix + classifier


def test_expand_ratio_one_has_no_expanding_convolution() -> None:
    network = tiny(block(4, 6, mid=0))
    assert parameters(network.blocks[0]) == (4 * 9 + 2 * 4) + (4 * 6 + 2 * 6)


def test_fused_block_is_one_linear_pointwise_convolution() -> None:
    fused = InvertedResidual(block(4, 6, mid=0, kernel=1)).eval()
    assert parameters(fused) == 4 * 6 + 2 * 6
    with torch.no_grad():
        x = torch.randn(2, 4, 5, 5)
        expected = torch.einsum("nihw,oi->nohw", x, fused.project.conv.weight[:, :, 0, 0]) / math.sqrt(1 + 1e-5)
        assert torch.allclose(fused(x), expected, atol=1e-5)
        assert fused(x).min() < 0  # no activation


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_residual_adds_the_input(kernel: int) -> None:
    part = InvertedResidual(block(4, 4, kernel=kernel, residual=True)).eval()
    torch.nn.init.zeros_(part.project.conv.weight)
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(part(x), x)


def test_squeeze_excite_of_known_gate() -> None:
    gate = SqueezeExcite(4, 2)
    for convolution in (gate.reduce, gate.expand):
        torch.nn.init.zeros_(convolution.weight)
        torch.nn.init.zeros_(convolution.bias)
    x = torch.randn(2, 4, 3, 3)
    assert torch.allclose(gate(x), x / 2)  # hard sigmoid of 0 is 1/2
    torch.nn.init.constant_(gate.expand.bias, 3.0)
    assert torch.allclose(gate(x), x)


@pytest.mark.parametrize("side", [16, 23, 7, 1])
def test_other_resolutions_run(side: int) -> None:
    network = tiny(block(4, 6, stride=2), block(6, 6, kernel=7, residual=True)).eval()
    assert network(torch.randn(3, 3, side, side + 2)).shape == (3, 5)


def test_strided_layers_round_up() -> None:
    assert ConvNorm(3, 4, 3, 2)(torch.randn(2, 3, 9, 8)).shape == (2, 4, 5, 4)


def test_an_impossible_block_is_refused() -> None:
    with pytest.raises(ValueError, match="stride 1"):
        InvertedResidual(block(4, 4, kernel=1, stride=2))
    with pytest.raises(ValueError, match="as many channels"):
        InvertedResidual(block(4, 6, residual=True))


def test_initial_weights_follow_fan_out() -> None:
    torch.manual_seed(0)
    wide = tiny(block(64, 64, mid=256), stem=64).blocks[0]
    assert wide.expand.conv.weight.std().item() == pytest.approx(math.sqrt(2 / 256), rel=0.05)
    assert wide.depthwise.conv.weight.std().item() == pytest.approx(math.sqrt(2 / 9), rel=0.05)


def test_no_blocks_and_the_input_size() -> None:
    network = tiny().eval()
    assert network.input_size == (3, 16, 16)
    assert network(torch.zeros(1, 3, 16, 16)).tolist() == [[0.0] * 5]


def test_the_file_imports_torch_alone() -> None:
    tree = ast.parse(Path(mbconv.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"torch", "collections", "typing"}
