"""Activations behind a layer norm, made even over channels and around zero before they are rounded.

What is taken from the norm is given to the linear operators that read it, so that floats compute the same. Sources:
SmoothQuant (Xiao et al., arXiv 2211.10438) for the scales, MPTQ-ViT (arXiv 2401.14895) for the shift.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from nas.quantization.capture import Captured
from nas.quantization.ranges import watched
from search_spaces.core.policy import FLOAT_BITS, QuantizationPolicy

STRENGTH = 0.5
"""Share of the unevenness that goes to the weights: SmoothQuant's alpha."""

_LEAST = 1e-5


def smooth(captured: Captured, policy: QuantizationPolicy, batches: Sequence[Tensor]) -> None:
    """Moves shift and scale of each channel from a layer norm to its readers, where all of these are linear operators
    of which one at least has activations in few bits. Where one has no bias the shift stays. In place; nothing where
    there is none.
    """
    pairs = _pairs(captured, policy)
    if not pairs:
        return
    low: dict[str, Tensor] = {}
    high: dict[str, Tensor] = {}
    for seen in watched(captured, pairs, batches):
        for name, value in seen.items():
            least, most = torch.aminmax(value.flatten(0, -2), dim=0)
            low[name] = least if name not in low else torch.minimum(low[name], least)
            high[name] = most if name not in high else torch.maximum(high[name], most)
    for name, readers in pairs.items():
        _move(captured, captured.node(name), readers, (low[name] + high[name]) / 2, (high[name] - low[name]) / 2)


def is_smoothed(captured: Captured, policy: QuantizationPolicy) -> bool:
    """Whether `smooth` would change a network."""
    return bool(_pairs(captured, policy))


def _pairs(captured: Captured, policy: QuantizationPolicy) -> dict[str, list[fx.Node]]:
    """Layer norms by name, with the linear operators that alone read them."""
    few = {each.node for each in captured.operators if policy.widths[each.name].input_bits < FLOAT_BITS}
    pairs = {}
    for node in captured.graph.graph.nodes:
        readers = list(node.users)
        linear = all(isinstance(captured.module(reader), nn.Linear) for reader in readers)
        if isinstance(captured.module(node), nn.LayerNorm) and linear and any(reader.name in few for reader in readers):
            pairs[node.name] = readers
    return pairs


@torch.no_grad()
def _move(captured: Captured, norm_node: fx.Node, readers: Sequence[fx.Node], shift: Tensor, reach: Tensor) -> None:
    norm: Any = captured.module(norm_node)
    linears: list[Any] = [captured.module(reader) for reader in readers]
    if any(linear.bias is None for linear in linears):  # a bias more would be bytes that nobody priced
        shift, reach = torch.zeros_like(shift), reach + shift.abs()
    weights = torch.stack([linear.weight.abs().amax(dim=0) for linear in linears]).amax(dim=0)
    scale = (reach.clamp(min=_LEAST) ** STRENGTH / weights.clamp(min=_LEAST) ** (1 - STRENGTH)).clamp(min=_LEAST)
    norm.bias.sub_(shift).div_(scale)
    norm.weight.div_(scale)
    for linear in linears:
        moved = linear.weight @ shift
        if linear.bias is not None:
            linear.bias.add_(moved)
        linear.weight.mul_(scale)
