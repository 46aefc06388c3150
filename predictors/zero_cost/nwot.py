"""NASWOT: how differently pictures light up the units of an untrained network.

Mellor, Turner, Storkey and Crowley: Neural Architecture Search without Training, ICML 2021, arXiv 2006.04647.
"""

from typing import TYPE_CHECKING, Any

from predictors.zero_cost.proxy import ZeroCostProxy
from search_spaces.core.errors import WrongUse

if TYPE_CHECKING:
    from torch import Tensor, nn


def activations() -> tuple[type["nn.Module"], ...]:
    """Kinds of modules that let positive inputs through and hold back negative ones."""
    from torch import nn

    return nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish


class NASWOT(ZeroCostProxy):
    """log of the determinant of the kernel that counts, of two pictures, the units on which they agree.

    A unit is on where the input of its activation is positive; the paper has ReLU, here GELU, SiLU and Hardswish count
    as well. NaN where two pictures agree on every unit.
    """

    name, title = "nwot", "NASWOT"
    source = "Mellor et al., ICML 2021, arXiv 2006.04647"

    def _score(self, network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> float:
        import torch

        kernel = torch.zeros(len(pictures), len(pictures), dtype=torch.float64)

        def look(module: "nn.Module", inputs: tuple[Any, ...]) -> None:
            on = (inputs[0].detach().reshape(len(pictures), -1) > 0).float()
            kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)

        units = [module for module in network.modules() if isinstance(module, activations())]
        if not units:
            kinds = ", ".join(kind.__name__ for kind in activations())
            raise WrongUse(f"NASWOT looks at activations ({kinds}), and this network has none; leave nwot away")
        for module in units:
            module.register_forward_pre_hook(look)
        with torch.no_grad():
            network(pictures)
        return float(torch.linalg.slogdet(kernel)[1])


PROXY = NASWOT
