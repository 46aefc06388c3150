"""A trained network as a graph whose operators a quantization policy names.

Batch norms are folded into the convolution before them; activations belong to the operator whose output they alone
read. Both are how every runtime executes a quantized network.
"""

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

from search_spaces.core.errors import FitnasError

WEIGHTED = (nn.Conv2d, nn.Linear)
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU, nn.Hardsigmoid, nn.Sigmoid)
_POOLS = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.MaxPool2d)
# What hands on elements as they are, or mixes those of one tensor or of several with equal weight.
_PASSING_MODULES = (*_POOLS, nn.Identity, nn.Flatten, nn.Dropout)
_PASSING_FUNCTIONS = (
    operator.add,
    operator.mul,
    operator.getitem,
    torch.add,
    torch.mul,
    torch.cat,
    torch.flatten,
    functional.relu,
    functional.avg_pool2d,
    functional.pad,
)
_CUTTING = (nn.ReLU, nn.ReLU6)
_MOVING_MODULES = (nn.Flatten, nn.MaxPool2d)
_MOVING_FUNCTIONS = (operator.getitem, torch.flatten, functional.pad)
_MOVING_METHODS = ("flatten", "reshape", "view", "transpose", "permute", "squeeze", "unsqueeze", "contiguous")


@dataclass(frozen=True)
class Operator:
    """One operator with weights: its name in the operator table, its node, and the node whose value is kept of it."""

    name: str
    node: str
    kept: str


@dataclass(frozen=True)
class Captured:
    """A network in eval mode as a graph without batch norms; `operators` in execution order.

    `norms`: by convolution, the batch norm that was folded into it; both by their names in the network.
    """

    graph: fx.GraphModule
    operators: tuple[Operator, ...]
    norms: Mapping[str, str] = field(default_factory=dict)

    def copied(self) -> "Captured":
        """The same with weights of its own, which may be changed or differentiated."""
        return replace(self, graph=copy.deepcopy(self.graph))

    def module(self, node: fx.Node) -> nn.Module | None:
        """What a node calls; None where it is no module."""
        return self.graph.get_submodule(str(node.target)) if node.op == "call_module" else None

    def node(self, name: str) -> fx.Node:
        """The node of that name."""
        found: fx.Node = next(node for node in self.graph.graph.nodes if node.name == name)
        return found


def capture(network: nn.Module, names: Sequence[str]) -> Captured:
    """The graph of a network; `names` of its convolutions and linear operators in execution order.

    The network is left as it is. `FitnasError` where it has another number of them, or cannot be traced; where a batch
    norm has statistics that were never set, see `check_norms`.
    """
    try:
        graph = fx.symbolic_trace(copy.deepcopy(network).eval())
    except (TraceError, TypeError, ValueError, RuntimeError) as error:
        raise FitnasError(f"the network cannot be quantized: its graph depends on its input ({error})") from None
    norms = _fold_norms(graph)
    _drop_identities(graph)
    graph.graph.lint()
    graph.recompile()
    nodes = [node for node in graph.graph.nodes if _is_weighted(graph, node)]
    if len(nodes) != len(names):
        raise FitnasError(f"the network has {len(nodes)} operators with weights, its operator table {len(names)}")
    operators = tuple(
        Operator(name, node.name, kept_node(graph, node).name) for name, node in zip(names, nodes, strict=True)
    )
    return Captured(graph, operators, norms)


def check_norms(network: nn.Module) -> None:
    """`FitnasError` where a batch norm has the statistics of a fresh network: ranges measured then mean nothing."""
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.num_batches_tracked == 0:
            raise FitnasError(
                f"the batch norm {name} was never trained: its statistics are those of a fresh network; train the "
                "network, or recalibrate it on pictures, before it is quantized"
            )


def kept_node(graph: fx.GraphModule, node: fx.Node) -> fx.Node:
    """The node whose value is kept: the activation, where one alone reads what `node` makes."""
    users = list(node.users)
    if len(users) == 1 and is_activation(graph, users[0]):
        return users[0]
    return node


def shapes(graph: fx.GraphModule) -> set[str]:
    """Nodes that are numbers computed from shapes, no tensors."""
    found: set[str] = set()
    for node in graph.graph.nodes:
        sources = [source.name for source in node.all_input_nodes]
        if node.target is getattr or (sources and all(name in found for name in sources)):
            found.add(node.name)
    return found


def is_activation(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node applies a function to each element."""
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), ACTIVATIONS)
    return node.op == "call_function" and node.target is functional.relu


def cuts_off(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether an activation only bounds its input, so that it costs an integer operator nothing."""
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), _CUTTING)
    return node.op == "call_function" and node.target is functional.relu


def moves(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node hands on elements of its first input as they are, beside zeros: other shapes, parts, maxima."""
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), _MOVING_MODULES)
    if node.op == "call_function":
        return node.target in _MOVING_FUNCTIONS
    return node.op == "call_method" and node.target in _MOVING_METHODS


def passes_on(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node's output is kept as its inputs are: sums, products, poolings, other shapes."""
    if node.op == "call_module":
        return isinstance(graph.get_submodule(str(node.target)), (*_PASSING_MODULES, *ACTIVATIONS))
    if node.op == "call_function":
        return node.target in _PASSING_FUNCTIONS
    return node.op == "call_method" and node.target in (*_MOVING_METHODS, "mean")


def _is_weighted(graph: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), WEIGHTED)


def _fold_norms(graph: fx.GraphModule) -> dict[str, str]:
    folded: dict[str, str] = {}
    for node in list(graph.graph.nodes):
        module: Any = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
        if not isinstance(module, nn.BatchNorm2d):
            continue
        before = node.args[0]
        conv: Any = graph.get_submodule(str(before.target)) if before.op == "call_module" else None
        if not isinstance(conv, nn.Conv2d) or len(before.users) > 1:
            raise FitnasError(f"the batch norm {node.target} follows no convolution of its own, and cannot be folded")
        graph.set_submodule(str(before.target), fuse_conv_bn_eval(conv, module))
        node.replace_all_uses_with(before)
        graph.graph.erase_node(node)
        folded[str(before.target)] = str(node.target)
    graph.delete_all_unused_submodules()
    return folded


def _drop_identities(graph: fx.GraphModule) -> None:
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), nn.Identity | nn.Dropout):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()


def weight_of(module: nn.Module) -> Tensor:
    """The weights of a convolution or linear operator, output channels first."""
    weights: Any = module.weight
    detached: Tensor = weights.detach()
    return detached
