"""Gradient norm: how strongly one batch pulls at the weights.

Abdelfattah, Mehrotra, Dudziak and Lane: Zero-Cost Proxies for Lightweight NAS, ICLR 2021, arXiv 2101.08134.
"""

from typing import TYPE_CHECKING

from predictors.zero_cost.gradients import after_one_batch
from predictors.zero_cost.proxy import ZeroCostProxy

if TYPE_CHECKING:
    from torch import Tensor, nn


class GradNorm(ZeroCostProxy):
    """The sum over layers of the Euclidean norm of the gradient by the layer's weight."""

    name, title = "grad_norm", "gradient norm"
    source = "Abdelfattah et al., ICLR 2021, arXiv 2101.08134"

    def _score(self, network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> float:
        return sum(float(gradient.norm()) for _, gradient in after_one_batch(network, pictures, labels))


PROXY = GradNorm
