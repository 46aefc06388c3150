"""SNIP: how much the loss hangs on each weight.

Lee, Ajanthan and Torr: SNIP, ICLR 2019, arXiv 1810.02340; summed over a network by Abdelfattah et al., arXiv
2101.08134.
"""

from typing import TYPE_CHECKING

from predictors.zero_cost.gradients import after_one_batch
from predictors.zero_cost.proxy import ZeroCostProxy

if TYPE_CHECKING:
    from torch import Tensor, nn


class SNIP(ZeroCostProxy):
    """The sum over weights of |weight x gradient|."""

    name, title = "snip", "SNIP"
    source = "Lee et al., ICLR 2019, arXiv 1810.02340"

    def _score(self, network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> float:
        return sum(
            float((weight.detach() * gradient).abs().sum())
            for weight, gradient in after_one_batch(network, pictures, labels)
        )


PROXY = SNIP
