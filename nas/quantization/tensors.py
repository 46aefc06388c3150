"""Which tensors of a network are kept in few bits, and what an operator still has to round when it reads."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import fx, nn

from nas.quantization.capture import Captured, is_activation, kept_node, passes_on, shapes
from search_spaces.core.policy import FLOAT_BITS, QuantizationPolicy

# These have the elements of their input, so they are kept with its scale.
_SAME_ELEMENTS = ("flatten", "reshape", "view", "transpose", "permute", "squeeze", "unsqueeze", "contiguous")


@dataclass(frozen=True)
class Tensors:
    """Bits by node. `kept`: of values that are rounded as soon as they are made. `read`: by operator with weights, of
    its input, which is kept otherwise and rounded for it alone. `tied`: nodes that take the range of another.
    """

    kept: Mapping[str, int]
    read: Mapping[str, int]
    tied: Mapping[str, str]


def tensors_of(captured: Captured, policy: QuantizationPolicy) -> Tensors:
    """The rule of `search_spaces.core.policy.with_widths`, on a graph.

    A tensor is kept with as many bits as its neediest reader multiplies; the network's output is not rounded.
    """
    bits = {each.node: policy.widths[each.name].input_bits for each in captured.operators}
    needed = _needed(captured, bits)
    kept = {
        node.name: needed[node.name]
        for node in captured.graph.graph.nodes
        if 0 < needed[node.name] < FLOAT_BITS and _is_made_here(captured, node)
    }
    read = {}
    for each in captured.operators:
        source = captured.node(each.node).args[0]
        if bits[each.node] < FLOAT_BITS and isinstance(source, fx.Node) and needed[source.name] != bits[each.node]:
            read[each.node] = bits[each.node]
    return Tensors(kept, read, _tied(captured, kept))


def _needed(captured: Captured, bits: Mapping[str, int]) -> dict[str, int]:
    """Bits that the neediest reader of each node multiplies; 0 where no tensor is read."""
    needed: dict[str, int] = {}
    numbers = shapes(captured.graph)
    for node in reversed(captured.graph.graph.nodes):
        wanted = [0]
        for user in set(node.users) if node.name not in numbers else ():
            if user.name in bits:
                wanted.append(bits[user.name])
            elif passes_on(captured.graph, user):
                wanted.append(needed[user.name])
            elif user.name not in numbers:
                wanted.append(FLOAT_BITS)
        needed[node.name] = max(wanted)
    return needed


def _is_made_here(captured: Captured, node: fx.Node) -> bool:
    """Whether a node makes new elements that are kept: no other shape of some, nor what an activation takes over."""
    if kept_node(captured.graph, node) is not node:
        return False
    module = captured.module(node)
    if isinstance(module, nn.Flatten | nn.MaxPool2d):
        return False
    if node.op == "call_method":
        return node.target not in _SAME_ELEMENTS
    return node.target is not torch.flatten and node.op != "output"


def _tied(captured: Captured, kept: Mapping[str, int]) -> dict[str, str]:
    """What is joined by channels is kept with one scale: that of the joined tensor."""
    tied: dict[str, str] = {}
    for node in captured.graph.graph.nodes:
        if node.target is torch.cat and node.name in kept:
            for part in node.args[0]:
                if part.name in kept and not is_activation(captured.graph, node):
                    tied[part.name] = tied.get(node.name, node.name)
    return tied
