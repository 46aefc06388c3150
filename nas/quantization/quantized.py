"""A network under a quantization policy: what is kept in how many bits, with which scales."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, fx, nn

from nas.quantization.affine import Affine, Weights, activation, quantized_weights, scales_for_biases
from nas.quantization.capture import Captured, Operator, capture, cuts_off, weight_of
from nas.quantization.ranges import Range, observed_nodes, ranges
from nas.quantization.smoothing import smooth
from nas.quantization.tensors import Tensors, origin, tensors_of
from search_spaces.core.errors import FitnasError
from search_spaces.core.policy import QuantizationPolicy

_LOGIT_BITS = 8


@dataclass(frozen=True)
class Quantized:
    """A captured network, its policy and its integers.

    `kept`: by node, how its value is kept. `read`: by operator's node, how its input is rounded for it alone.
    `weights`: by operator's node, None where they stay floats. `logits`: how the network's output would be kept in 8
    bits, from its least to its largest value; None where that was not measured. It is floats all the same, see
    `with_integer_logits`.
    """

    captured: Captured
    policy: QuantizationPolicy
    kept: Mapping[str, Affine]
    read: Mapping[str, Affine]
    weights: Mapping[str, Weights | None]
    logits: Affine | None = None

    def with_integer_logits(self) -> "Quantized":
        """The same with its output in 8 bits; `FitnasError` where its range is not known."""
        if self.logits is None:
            raise FitnasError("the range of the logits is not known: quantize the network with calibration pictures")
        return replace(self, kept={**self.kept, made_output(self.captured): self.logits})

    def operator(self, node: str) -> Operator:
        """The operator of a node."""
        return next(each for each in self.captured.operators if each.node == node)

    def simulated(self, trainable: bool = False) -> fx.GraphModule:
        """A network that computes in floats what the integers stand for.

        It is for scores, ten times faster to round; with `trainable` for gradients.
        """

        def rounding(how: Affine, in_place: bool) -> nn.Module:
            return Rounding(how, in_place, trainable)

        return self.rebuilt(self.rounded_module, rounding, drop_bounds=not trainable)

    def rebuilt(
        self,
        operator: Callable[[str], nn.Module],
        rounding: Callable[[Affine, bool], nn.Module],
        drop_bounds: bool = False,
    ) -> fx.GraphModule:
        """The graph with other modules for the operators with weights, by node, and for what rounds a tensor.

        `rounding` gets whether nobody else reads the tensor. `drop_bounds`: activations that rounding does too are left
        away.
        """
        graph = fx.GraphModule(self.captured.graph, copy.deepcopy(self.captured.graph.graph))
        for node in list(graph.graph.nodes):
            if node.name in self.weights:
                graph.set_submodule(str(node.target), operator(node.name))
                if node.name in self.read:
                    source: Any = node.args[0]
                    with graph.graph.inserting_before(node):
                        rounded = _call(graph, source, rounding(self.read[node.name], False))
                    node.replace_input_with(source, rounded)
            if node.name in self.kept:
                _insert_after(graph, node, self.kept[node.name], rounding, drop_bounds)
        graph.graph.lint()
        graph.recompile()
        return graph

    def affine(self, node: fx.Node) -> Affine | None:
        """How the elements of a node's value are kept; None as floats."""
        return self.kept.get(origin(self.captured, node).name)

    def rounded_module(self, node: str) -> nn.Module:
        """What an operator with weights calls, with what its integers stand for; the network's weights stay."""
        module: Any = copy.copy(self.captured.module(self.captured.node(node)))
        weights = self.weights[node]
        if weights is not None:
            module._parameters = dict(module._parameters)
            module.weight = nn.Parameter(weights.real(), requires_grad=False)
        return module  # type: ignore[no-any-return]


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
    return quantize_captured(capture(network, names), policy, batches, known, logits=True)


def quantize_captured(
    captured: Captured,
    policy: QuantizationPolicy,
    batches: Sequence[Tensor],
    known: Mapping[str, Range] | None = None,
    logits: bool = False,
) -> Quantized:
    """The same for a captured network, whose weights are changed where activations are smoothed.

    Without pictures nothing is smoothed, and all ranges must be known. `logits`: measures their range too, which takes
    a pass over the pictures more.
    """
    policy.check([each.name for each in captured.operators])
    if batches:
        smooth(captured, policy, batches)
    tensors = tensors_of(captured, policy)
    wanted = [name for name in observed_nodes(captured, tensors) if name not in (known or {})]
    found = {**ranges(captured, wanted, batches, policy.calibration), **(known or {})}
    quantized = assembled(captured, policy, tensors, found)
    return replace(quantized, logits=_logits(captured, policy, batches)) if logits else quantized


def _logits(captured: Captured, policy: QuantizationPolicy, batches: Sequence[Tensor]) -> Affine:
    """From least to largest, whatever the policy says of ranges: to cut off the largest logit costs the class."""
    output = made_output(captured)
    return activation(ranges(captured, [output], batches)[output], _LOGIT_BITS, policy.scheme)


def made_output(captured: Captured) -> str:
    """The node that made the elements of the network's output."""
    *_, last = captured.graph.graph.nodes
    output: Any = last.args[0]
    return origin(captured, output).name


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
    found_weights = {}
    for each in captured.operators:
        node = captured.node(each.node)
        module: Any = captured.module(node)
        source: Any = node.args[0]
        how = read.get(each.node) or kept.get(origin(captured, source).name)
        least = scales_for_biases(module.bias, how.scale) if how is not None and module.bias is not None else None
        bits, per_channel = policy.widths[each.name].weight_bits, policy.granularity == "channel"
        found_weights[each.node] = quantized_weights(weight_of(module), bits, per_channel, least)
    return Quantized(captured, policy, kept, read, found_weights)


_SHARING = ("placeholder", "get_attr")  # their values are somebody else's


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


def _insert_after(
    graph: fx.GraphModule,
    node: fx.Node,
    how: Affine,
    rounding: Callable[[Affine, bool], nn.Module],
    drop_bounds: bool,
) -> None:
    made: Any = node
    if drop_bounds and cuts_off(graph, node) and how.is_positive and len(node.all_input_nodes[0].users) == 1:
        made = node.args[0]  # rounding cuts off below 0 too, and above at most where the activation does
    shares = node.op in _SHARING or node.target == "expand"
    with graph.graph.inserting_after(node):
        rounded = _call(graph, made, rounding(how, not shares))
    node.replace_all_uses_with(rounded, delete_user_cb=lambda user: user is not rounded)
    if made is not node:
        graph.graph.erase_node(node)


def _call(graph: fx.GraphModule, value: Any, module: nn.Module) -> fx.Node:
    name = f"rounded_{value.name}"
    while hasattr(graph, name):
        name += "_again"
    graph.add_submodule(name, module)
    return graph.graph.call_module(name, (value,))
