"""Gradients of a loss by the weights that proxies look at."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def weights(network: "nn.Module") -> Iterator["Tensor"]:
    """The weights of its convolutions and linear layers: not those of norms, nor biases and position embeddings."""
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield module.weight


def after_one_batch(network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> list[tuple["Tensor", "Tensor"]]:
    """Each weight and its gradient of the cross-entropy of one batch; weights that take no part are left out."""
    from torch.nn import functional

    functional.cross_entropy(network(pictures), labels).backward()  # type: ignore[no-untyped-call]
    return [(weight, weight.grad) for weight in weights(network) if weight.grad is not None]
