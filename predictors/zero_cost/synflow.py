"""SynFlow: how much could flow through the network at all, in the logarithm.

Tanaka, Kunin, Yamins and Ganguli: Pruning neural networks without any data, NeurIPS 2020, arXiv 2006.05467; as a proxy
of whole networks by Abdelfattah et al., arXiv 2101.08134. Plain scores reach 1e61, so they are compared by their
logarithm.
"""

import math
from typing import TYPE_CHECKING

from predictors.zero_cost.gradients import weights
from predictors.zero_cost.nwot import activations
from predictors.zero_cost.proxy import ZeroCostProxy

if TYPE_CHECKING:
    from torch import Tensor, nn


class SynFlow(ZeroCostProxy):
    """log of the sum over weights of weight x gradient, of a picture of ones and with every weight made positive.

    Norms and activations are left out: of what is positive the latter let all through, and the former would undo it.
    """

    name, title = "synflow", "SynFlow (log)"
    source = "Tanaka et al., NeurIPS 2020, arXiv 2006.05467"

    def _score(self, network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> float:
        import torch

        _leave_out(network)
        network.double()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.abs_()
        network(torch.ones_like(pictures[:1], dtype=torch.float64)).sum().backward()
        found = sum(
            float((weight.grad * weight.detach()).sum()) for weight in weights(network) if weight.grad is not None
        )
        return math.log(found) if found > 0 else math.nan


def _leave_out(network: "nn.Module") -> None:
    from torch import nn

    flat = (*activations(), nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.Dropout)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, flat):
                setattr(module, name, nn.Identity())


PROXY = SynFlow
