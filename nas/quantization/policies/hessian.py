"""Curvature times the error of rounding, and the integer program on the sum.

Source: HAWQ-V2 (arXiv 1911.03852): the mean of the Hessian's eigenvalues by Hutchinson's probes, of each operator's
weights and of the activations that it reads, times the squared distance to the rounded values. The loss is the
cross-entropy with the network's own answers: no labels are needed, and its gradient is zero where the network stands.
There the Hessian is J' (diag(p) - p p') J, J the Jacobian of the logits and p the answers. With R R' = diag(p) - p p'
its trace is that of R' J J' R, so that the random signs are drawn at the logits: one gradient a probe instead of a
second derivative, and no noise from one operator in another's trace. Second derivatives are in the test.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from nas.quantization.affine import activation, quantized_weights
from nas.quantization.capture import Captured, Operator, weight_of
from nas.quantization.policies.integer_program import allocate
from nas.quantization.policies.task import Choice, Task
from search_spaces.core.policy import FLOAT_BITS, Width

PROBES = 32
_SEED = 0


@dataclass
class Traces:
    """Of the Hessian of the mean loss a picture, by operator: over its weights, and over its input of one picture."""

    weights: dict[str, float]
    inputs: dict[str, float]


def find(task: Task) -> Choice:
    """Half the trace a value times the squared error of rounding, of weights and of inputs, summed over a group.

    That is the loss of second order where errors have no direction. Weights of 32 bits and inputs of 32 bits add
    nothing. `Infeasible` where nothing is within the limits.
    """
    found = traces(task, PROBES)
    options = task.options
    columns = []
    for width in options.widths:
        omega = {each.name: _weights_loss(task.captured, each, width, found) for each in task.captured.operators}
        for name, loss in _inputs_loss(task, width, found).items():
            omega[name] += loss
        columns.append(task.by_group(omega))
    return allocate(options, np.stack(columns, axis=1))


def traces(task: Task, probes: int) -> Traces:
    """Hutchinson's estimate; each probe is one batch, in turn, with random signs for every logit."""
    own = task.captured.copied()
    modules: list[Any] = [own.module(own.node(each.node)) for each in own.operators]
    for module in modules:
        module.weight.requires_grad_(True)
    generator = torch.Generator().manual_seed(_SEED)
    found = Traces(*({each.name: 0.0 for each in own.operators} for _ in range(2)))
    for probe in range(probes):
        batch = task.batches[probe % len(task.batches)]
        running = _Reading(own)
        logits = running.run(batch.detach().clone().requires_grad_(True))
        values = [*(module.weight for module in modules), *(running.read[each.node] for each in own.operators)]
        probed = (_probe(logits.detach().softmax(dim=1), generator) * logits).sum()
        gradients = torch.autograd.grad(probed, values, allow_unused=True)
        squares = [0.0 if each is None else float(each.square().sum()) / len(batch) / probes for each in gradients]
        for index, each in enumerate(own.operators):
            found.weights[each.name] += squares[index]
            found.inputs[each.name] += squares[len(modules) + index]
        task.spent.gradients += 1
        task.progress(probe + 1, probes)
    return found


class _Reading(fx.Interpreter):
    """Runs a graph and keeps what each operator reads, as a tensor that it alone reads."""

    def __init__(self, captured: Captured) -> None:
        super().__init__(captured.graph)
        self.read: dict[str, Tensor] = {}
        self._operators = {each.node for each in captured.operators}

    def run_node(self, n: fx.Node) -> Any:
        if n.name not in self._operators:
            return super().run_node(n)
        self.read[n.name] = self.env[n.all_input_nodes[0]].clone()
        return self.call_module(str(n.target), (self.read[n.name],), {})


def _probe(answers: Tensor, generator: torch.Generator) -> Tensor:
    """R times random signs, for answers p (n, classes): R = diag(sqrt(p)) - p sqrt(p)'."""
    signs = torch.randint(0, 2, answers.shape, generator=generator) * 2.0 - 1.0
    rooted = answers.sqrt() * signs
    return rooted - answers * rooted.sum(dim=1, keepdim=True)


def _weights_loss(captured: Captured, each: Operator, width: Width, found: Traces) -> float:
    weight = weight_of(captured.graph.get_submodule(str(captured.node(each.node).target)))
    rounded = quantized_weights(weight, width.weight_bits)
    if rounded is None:
        return 0.0
    squared = float(((rounded.real() - weight) ** 2).sum())
    return found.weights[each.name] / weight.numel() * squared / 2


@torch.no_grad()
def _inputs_loss(task: Task, width: Width, found: Traces) -> dict[str, float]:
    """By operator, from the first batch, each input as one alone would be rounded."""
    if width.input_bits >= FLOAT_BITS:
        return {}
    running = _Reading(task.captured.copied())
    batch = task.batches[0]
    running.run(batch.clone())
    losses = {}
    for each in task.captured.operators:
        values = running.read[each.node]
        how = activation(task.ranges[str(task.captured.node(each.node).args[0])], width.input_bits)
        squared = float(((how.rounded(values) - values) ** 2).sum()) / len(batch)
        losses[each.name] = found.inputs[each.name] / (values.numel() / len(batch)) * squared / 2
    return losses


POLICY = find
