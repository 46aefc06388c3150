"""A network under a quantization policy: what is kept in how many bits, with which scales."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from nas.quantization.affine import Affine, Weights, activation, quantized_weights
from nas.quantization.capture import Captured, Operator, capture, weight_of
from nas.quantization.ranges import Range, observed_nodes, ranges
from nas.quantization.smoothing import smooth
from nas.quantization.tensors import Tensors, tensors_of
from search_spaces.core.policy import QuantizationPolicy


@dataclass(frozen=True)
class Quantized:
    """A captured network, its policy and its integers.

    `kept`: by node, how its value is kept. `read`: by operator's node, how its input is rounded for it alone.
    `weights`: by operator's node, None where they stay floats.
    """

    captured: Captured
    policy: QuantizationPolicy
    kept: Mapping[str, Affine]
    read: Mapping[str, Affine]
    weights: Mapping[str, Weights | None]

    def operator(self, node: str) -> Operator:
        """The operator of a node."""
        return next(each for each in self.captured.operators if each.node == node)

    def simulated(self, trainable: bool = False) -> fx.GraphModule:
        """A network that computes in floats what the integers stand for.

        It is for scores, ten times faster to round; with `trainable` for gradients and exporters.
        """
        graph = _copied(self.captured.graph)
        for node in list(graph.graph.nodes):
            if node.name in self.weights:
                self._round_operator(graph, node, trainable)
            if node.name in self.kept:
                _insert_after(graph, node, self.kept[node.name], trainable)
        graph.graph.lint()
        graph.recompile()
        return graph

    def _round_operator(self, graph: fx.GraphModule, node: fx.Node, trainable: bool) -> None:
        weights = self.weights[node.name]
        if weights is not None:
            module: Any = copy.copy(graph.get_submodule(str(node.target)))
            module._parameters = dict(module._parameters)  # the copy's own: the network's weights stay
            module.weight = nn.Parameter(weights.real(), requires_grad=False)
            graph.set_submodule(str(node.target), module)
        if node.name in self.read:
            source: Any = node.args[0]
            with graph.graph.inserting_before(node):
                rounded = _rounding(graph, source, self.read[node.name], in_place=False, trainable=trainable)
            node.replace_input_with(source, rounded)


def quantize(
    network: nn.Module,
    names: Sequence[str],
    policy: QuantizationPolicy,
    batches: Sequence[Tensor],
    known: Mapping[str, Range] | None = None,
) -> Quantized:
    """Post-training quantization: ranges from calibration pictures (n, C, H, W), normalised as for training.

    `names`: of the network's convolutions and linear operators in execution order, as its operator table has them.
    `known`: ranges by node that need not be measured. `WrongUse` where the policy is of another network, `FitnasError`
    where the pictures teach nothing.
    """
    return quantize_captured(capture(network, names), policy, batches, known)


def quantize_captured(
    captured: Captured,
    policy: QuantizationPolicy,
    batches: Sequence[Tensor],
    known: Mapping[str, Range] | None = None,
) -> Quantized:
    """The same for a captured network, whose weights are changed where activations are smoothed.

    Without pictures nothing is smoothed, and all ranges must be known.
    """
    policy.check([each.name for each in captured.operators])
    if batches:
        smooth(captured, policy, batches)
    tensors = tensors_of(captured, policy)
    wanted = [name for name in observed_nodes(captured, tensors) if name not in (known or {})]
    found = {**ranges(captured, wanted, batches, policy.calibration), **(known or {})}
    return assembled(captured, policy, tensors, found)


def assembled(
    captured: Captured, policy: QuantizationPolicy, tensors: Tensors, found: Mapping[str, Range]
) -> Quantized:
    """From ranges that are known."""
    kept = {
        name: activation(found[tensors.tied.get(name, name)], bits, policy.scheme)
        for name, bits in tensors.kept.items()
    }
    read = {
        name: activation(found[str(captured.node(name).args[0])], bits, policy.scheme)
        for name, bits in tensors.read.items()
    }
    per_channel = policy.granularity == "channel"
    weights = {}
    for each in captured.operators:
        module = captured.graph.get_submodule(str(captured.node(each.node).target))
        weights[each.node] = quantized_weights(weight_of(module), policy.widths[each.name].weight_bits, per_channel)
    return Quantized(captured, policy, kept, read, weights)


_CUTTING = (nn.ReLU, nn.ReLU6)


class Rounding(nn.Module):
    """Rounds a tensor to what few bits hold. `in_place`: nobody else reads it."""

    def __init__(self, how: Affine, in_place: bool, trainable: bool) -> None:
        super().__init__()
        self.how, self.in_place, self.trainable = how, in_place, trainable

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        if self.trainable:
            return self.how.rounded(values)
        return self.how.round_(values if self.in_place else values.clone())


def _copied(graph: fx.GraphModule) -> fx.GraphModule:
    """The graph with modules of its own place and the same weights."""
    return fx.GraphModule(graph, copy.deepcopy(graph.graph))


def _insert_after(graph: fx.GraphModule, node: fx.Node, how: Affine, trainable: bool) -> None:
    made: Any = node
    module = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, _CUTTING) and how.is_positive and not trainable:
        made = node.args[0]  # rounding cuts off below 0 too, and above at most where the activation does
    with graph.graph.inserting_after(node):
        rounded = _rounding(graph, made, how, in_place=node.op != "placeholder", trainable=trainable)
    node.replace_all_uses_with(rounded, delete_user_cb=lambda user: user is not rounded)
    if made is not node:
        graph.graph.erase_node(node)


def _rounding(graph: fx.GraphModule, value: Any, how: Affine, in_place: bool, trainable: bool) -> fx.Node:
    name = f"rounded_{value.name}_{how.bits}"
    graph.add_submodule(name, Rounding(how, in_place, trainable))
    return graph.graph.call_module(name, (value,))
