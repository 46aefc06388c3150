"""Hutchinson's traces against the whole Hessian of a tiny network."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.quantization.policies.hessian import traces
from tests.nas.quantization.policies.small_tasks import menu, task_of

PROBES = 600


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.SiLU(), nn.Flatten(), nn.Linear(8, 3)).eval()


@pytest.fixture(scope="module")
def batch() -> Tensor:
    return torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(3))


def exact_trace(loss: object, at: Tensor) -> float:
    whole = torch.autograd.functional.hessian(loss, at)  # type: ignore[arg-type]
    return float(whole.reshape(at.numel(), at.numel()).diagonal().sum())


def test_it_estimates_the_trace_over_weights_and_inputs(network: nn.Sequential, batch: Tensor) -> None:
    conv, linear = network[0], network[3]
    own = network(batch).detach().softmax(dim=1)

    def of_conv(weight: Tensor) -> Tensor:
        hidden = functional.silu(functional.conv2d(batch, weight, conv.bias)).flatten(1)
        return functional.cross_entropy(linear(hidden), own)

    def of_linear(weight: Tensor) -> Tensor:
        hidden = network[:3](batch).detach()
        return functional.cross_entropy(functional.linear(hidden, weight, linear.bias), own)

    def of_hidden(hidden: Tensor) -> Tensor:
        return functional.cross_entropy(linear(hidden), own)

    def of_pictures(pictures: Tensor) -> Tensor:
        return functional.cross_entropy(network(pictures), own)

    options = menu(["conv", "linear"], "w4a8,int8", {"weight_bytes": [[-1, 0], [-1, 0]]}, {})
    found = traces(task_of(network, options, [batch]), PROBES)
    assert found.weights["conv"] == pytest.approx(exact_trace(of_conv, conv.weight.detach()), rel=0.1)
    assert found.weights["linear"] == pytest.approx(exact_trace(of_linear, linear.weight.detach()), rel=0.1)
    hidden = network[:3](batch).detach()
    assert found.inputs["linear"] == pytest.approx(exact_trace(of_hidden, hidden), rel=0.1)
    assert found.inputs["conv"] == pytest.approx(exact_trace(of_pictures, batch), rel=0.1)


def test_what_the_answer_does_not_depend_on_has_none(batch: Tensor) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()
    network[3].weight.data.zero_()
    options = menu(["conv", "linear"], "w4,int8", {"weight_bytes": [[-1, 0], [-1, 0]]}, {})
    found = traces(task_of(network, options, [batch]), 4)
    assert found.weights["conv"] == 0.0
    assert found.weights["linear"] > 0.0
