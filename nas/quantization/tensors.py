"""Which tensors of a network are kept in few bits, and what an operator still has to round when it reads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from nas.quantization.capture import Captured, cuts_off, kept_node, moves, passes_on, shapes
from search_spaces.core.policy import FLOAT_BITS, QuantizationPolicy

_BEFORE_A_TABLE = 8
"""Bits of what an activation reads that integers look up in a table; no memory holds it."""


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
    kept |= _before_tables(captured, kept, {name for name, each in bits.items() if each < FLOAT_BITS})
    return Tensors(kept, read, _tied(captured, kept))


def origin(captured: Captured, node: fx.Node) -> fx.Node:
    """The node that made the elements which `node` hands on; itself where it made them."""
    while moves(captured.graph, node):
        source: Any = node.args[0]
        node = source
    return node


def runs_in_integers(
    captured: Captured, node: fx.Node, kept: Mapping[str, int], operators: Collection[str], numbers: Collection[str]
) -> bool:
    """Whether all that a node reads is integers, or as much as it multiplies. `operators`: those with weights that
    multiply activations in few bits. `numbers`: nodes that are no tensors, see `shapes`.
    """
    if any(node.name == each.node for each in captured.operators):
        return node.name in operators
    sources = [source for source in node.all_input_nodes if source.name not in numbers]
    return bool(sources) and all(origin(captured, source).name in kept for source in sources)


def _before_tables(captured: Captured, kept: Mapping[str, int], operators: Collection[str]) -> dict[str, int]:
    """What integer operators make for an activation that is looked up."""
    found, numbers = {}, shapes(captured.graph)
    for node in captured.graph.graph.nodes:
        after = kept_node(captured.graph, node)
        looked_up = after is not node and after.name in kept and not cuts_off(captured.graph, after)
        if looked_up and runs_in_integers(captured, node, kept, operators, numbers):
            found[node.name] = _BEFORE_A_TABLE
    return found


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
    return kept_node(captured.graph, node) is node and not moves(captured.graph, node) and node.op != "output"


def _tied(captured: Captured, kept: Mapping[str, int]) -> dict[str, str]:
    """What is joined by channels is kept with one scale: that of the joined tensor. So are means of windows and what
    they are made of.
    """
    tied: dict[str, str] = {}
    for node in captured.graph.graph.nodes:
        if node.name not in kept:
            continue
        if node.target is torch.cat:
            for part in node.args[0]:
                made = origin(captured, part)
                if kept.get(made.name) == kept[node.name] and made.name not in tied:
                    tied[made.name] = tied.get(node.name, node.name)
        elif is_window_mean(captured, node):
            made = origin(captured, node.args[0])
            if kept.get(made.name) == kept[node.name]:
                tied[node.name] = tied.get(made.name, made.name)
    return tied


def is_window_mean(captured: Captured, node: fx.Node) -> bool:
    """Whether a node averages windows."""
    return node.target is functional.avg_pool2d or isinstance(captured.module(node), nn.AvgPool2d)
