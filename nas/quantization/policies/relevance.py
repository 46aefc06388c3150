"""How much of the network's answer passes through each operator, and the integer program on it.

Source: LRP-QViT (arXiv 2401.11243), layer-wise relevance averaged over calibration pictures, more bits for more of it;
the epsilon rule of Bach et al. (PLoS ONE 10(7), 2015). Rules for what has no weights: an activation hands relevance on
unchanged; two factors take half each (AttnLRP, arXiv 2402.05602); attention's weights and a norm's deviation are
constants (Ali et al., arXiv 2202.07304). The sum over a cut through the network is the answer, so operators are told
apart by absolute relevance: what passes, of either sign.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.quantization.capture import ACTIVATIONS, Captured
from nas.quantization.policies.integer_program import allocate
from nas.quantization.policies.task import Choice, Task
from search_spaces.core.policy import FLOAT_BITS, Width

EPSILON = 1e-2
"""Of the root mean square of an operator's output: what damps relevance where positive and negative parts cancel."""

_TINY = 1e-12
_PRODUCTS = (operator.mul, torch.mul)
_SOFTMAXES = (torch.softmax, functional.softmax)


def find(task: Task) -> Choice:
    """Least sum of relevance times the power of rounding noise, 4^-bits of the weights and of the inputs.

    `Infeasible` where nothing is within the limits.
    """
    total: dict[str, float] = {each.name: 0.0 for each in task.captured.operators}
    pictures = sum(len(batch) for batch in task.batches)
    for batch in task.batches:
        task.spent.gradients += 1
        for name, shares in relevance(task.captured.copied(), batch).items():
            total[name] += float(shares.abs().sum()) / pictures
    scores = task.by_group(total)
    noise = np.array([_noise(each) for each in task.options.widths])
    return allocate(task.options, scores[:, None] * noise)


def _noise(width: Width) -> float:
    return float(sum(4.0**-bits for bits in (width.weight_bits, width.input_bits) if bits < FLOAT_BITS))


def relevance(captured: Captured, batch: Tensor, epsilon: float = EPSILON) -> dict[str, Tensor]:
    """Relevance of each operator's output, by operator, for the logit of the class that each picture is taken for.

    One zero for an operator that only constants come from, such as the score of a pooling of tokens.
    """
    running = _Propagating(captured, epsilon)
    pictures = batch.detach().clone().requires_grad_(True)
    logits: Tensor = running.run(pictures)
    torch.autograd.grad(logits.max(dim=1).values.sum(), pictures)
    return {each.name: running.found[each.node] for each in captured.operators}


class _Propagating(fx.Interpreter):
    """Runs a graph whose gradients are relevance a value: every rule is one on what a gradient is multiplied by."""

    def __init__(self, captured: Captured, epsilon: float) -> None:
        super().__init__(captured.graph)
        self.epsilon, self.found = epsilon, {each.node: torch.zeros(1) for each in captured.operators}
        self._operators = set(self.found)

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.name in self._operators:
            value.register_hook(self._collecting(n.name, value.detach()))
        return value

    def _collecting(self, name: str, value: Tensor) -> Callable[[Tensor], Tensor]:
        def collect(gradient: Tensor) -> Tensor:
            self.found[name] = value * gradient
            return gradient * value / _stable(value, self.epsilon)

        return collect

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        module = self.fetch_attr(str(target))
        if isinstance(module, ACTIVATIONS):
            return self._handed_on(args[0], module)
        if isinstance(module, nn.LayerNorm):
            return _normed(args[0], module)
        if isinstance(module, nn.Softmax):
            return module(args[0]).detach()
        return super().call_module(target, args, kwargs)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if target is functional.relu:
            return self._handed_on(args[0], functional.relu)
        if target in _SOFTMAXES:
            return target(*args, **kwargs).detach()
        if target in _PRODUCTS and all(isinstance(each, Tensor) and each.requires_grad for each in args):
            a, b = args
            return (a * b.detach() + a.detach() * b) / 2
        return super().call_function(target, args, kwargs)

    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        value = super().call_method(target, args, kwargs)
        return value.detach() if target == "softmax" else value

    def _handed_on(self, value: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        made = function(value.detach().clone())
        ratio = made / _stable(value.detach(), self.epsilon)
        return made + (value - value.detach()) * ratio


def _stable(value: Tensor, epsilon: float) -> Tensor:
    """The value moved away from 0 by a share of the root mean square."""
    least = epsilon * value.square().mean().sqrt() + _TINY
    return value + torch.where(value < 0, -least, least)


def _normed(value: Tensor, norm: nn.LayerNorm) -> Tensor:
    size = tuple(range(-len(norm.normalized_shape), 0))
    centred = value - value.mean(dim=size, keepdim=True)
    deviation = (centred.square().mean(dim=size, keepdim=True) + norm.eps).sqrt().detach()
    made = centred / deviation
    made = made * norm.weight.detach() if norm.weight is not None else made
    return made + norm.bias.detach() if norm.bias is not None else made


POLICY = find
