"""Jacobian covariance: how differently the outputs depend on the pixels of different pictures.

Mellor, Turner, Storkey and Crowley: Neural Architecture Search without Training, first version, arXiv 2006.04647v1.
"""

from typing import TYPE_CHECKING

from predictors.zero_cost.proxy import ZeroCostProxy

if TYPE_CHECKING:
    from torch import Tensor, nn

_JITTER = 1e-5  # as in the paper's code


class JacobianCovariance(ZeroCostProxy):
    """-sum(log(v + 1e-5) + 1 / (v + 1e-5)) over the eigenvalues v of the correlation of the pictures' Jacobians.

    The Jacobian of a picture is that of the sum of its logits. NaN where a picture's is constant.
    """

    name, title = "jacob_cov", "Jacobian covariance"
    source = "Mellor et al., arXiv 2006.04647v1"

    def _score(self, network: "nn.Module", pictures: "Tensor", labels: "Tensor") -> float:
        import torch

        given = pictures.detach().clone().requires_grad_()
        network(given).sum().backward()
        if given.grad is None or not bool(torch.isfinite(given.grad).all()):
            return float("nan")
        correlation = torch.corrcoef(given.grad.reshape(len(given), -1).double())
        if not bool(torch.isfinite(correlation).all()):
            return float("nan")
        eigenvalues = torch.linalg.eigvalsh(correlation).clamp_min(0.0) + _JITTER
        return -float((eigenvalues.log() + 1 / eigenvalues).sum())


PROXY = JacobianCovariance
