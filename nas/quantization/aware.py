"""Training under a quantization policy: what is rounded later is rounded already, and gradients pass through.

Source: Jacob et al. (arXiv 1712.05877), section 3, with batch norms folded before; straight-through gradients (Bengio
et al., arXiv 1308.3432).
"""

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from nas.quantization.quantized import Quantized
from search_spaces.core.errors import FitnasError
from search_spaces.core.policy import FLOAT_BITS


class _RoundedWeights(nn.Module):
    """Weights as few bits hold them, in the scales of the moment."""

    def __init__(self, bits: int, per_channel: bool) -> None:
        super().__init__()
        self.most, self.per_channel = (1 << (bits - 1)) - 1, per_channel

    def forward(self, weights: Tensor) -> Tensor:
        """The same shape."""
        flat = weights.detach().flatten(1).abs()
        reach = flat.amax(dim=1) if self.per_channel else flat.amax().expand(len(flat))
        scales = torch.where(reach > 0, reach / self.most, torch.ones_like(reach))
        zeros = torch.zeros(len(flat), dtype=torch.int32, device=weights.device)
        return torch.fake_quantize_per_channel_affine(weights, scales, zeros, 0, -self.most, self.most)


def trainable(quantized: Quantized) -> fx.GraphModule:
    """The network with rounding in it, for training; its weights are copies. Ranges of activations stay as they are."""
    graph = quantized.simulated(trainable=True)
    per_channel = quantized.policy.granularity == "channel"
    for each in quantized.captured.operators:
        target = str(quantized.captured.node(each.node).target)
        module: Any = copy.deepcopy(quantized.captured.graph.get_submodule(target))
        bits = quantized.policy.widths[each.name].weight_bits
        if bits < FLOAT_BITS:
            parametrize.register_parametrization(module, "weight", _RoundedWeights(bits, per_channel))
        graph.set_submodule(target, module)
    return graph.requires_grad_()


@torch.no_grad()
def write_back(quantized: Quantized, trained: fx.GraphModule, network: nn.Module) -> None:
    """Gives a plain network the weights of its trained graph; a batch norm then only adds its convolution's bias.

    `FitnasError` where a bias has no place in the network.
    """
    given = []
    for name, module in trained.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.LayerNorm):
            _give(network, name, module, quantized.captured.norms.get(name))
            given.append(f"{name}.")
    for name, parameter in trained.named_parameters():
        if not name.startswith(tuple(given)):  # used by name, such as position embeddings and biases of attention
            network.get_parameter(name).copy_(parameter)


def _give(network: nn.Module, name: str, module: Any, norm_name: str | None) -> None:
    target: Any = network.get_submodule(name)
    rounded = parametrize.is_parametrized(module, "weight")
    target.weight.copy_(module.parametrizations.weight.original if rounded else module.weight)
    if norm_name is not None:
        norm: Any = network.get_submodule(norm_name)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)  # so that the statistics divide by exactly 1
        norm.weight.fill_(1.0)
        norm.bias.copy_(module.bias)
    elif module.bias is not None:
        if target.bias is None:
            raise FitnasError(f"the operator {name} has no bias, and its trained graph has; train without a policy")
        target.bias.copy_(module.bias)
