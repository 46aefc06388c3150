"""A quantized network in integers: the reference that every exporter is compared with.

Accumulators and biases are 32 bits wide, requantization rounds twice as TensorFlow Lite Micro does. What stays floats
(see `GraphOperator`) runs in float32 between `Dequantize` and `Quantize`. Logits are floats, the accumulators of the
last operator times their scale; or integers of 8 bits, as microcontrollers keep them.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.quantization import operators as ops
from nas.quantization.affine import Affine
from nas.quantization.capture import cuts_off, is_activation, kept_node, moves, shapes
from nas.quantization.operators import IntegerOperator
from nas.quantization.quantized import Quantized
from nas.quantization.requantize import Requantization, quantized_multiplier
from nas.quantization.tensors import is_window_mean, runs_in_integers
from search_spaces.core.errors import FitnasError
from search_spaces.core.policy import FLOAT_BITS

_ADDING, _MULTIPLYING = (operator.add, torch.add), (operator.mul, torch.mul)
_SIX = 6.0


@dataclass(frozen=True)
class IntegerNetwork:
    """`operators` in execution order; `kept`: by name, how each tensor of integers is kept.

    `input`, `output`: names of the network's own tensors, both floats; with integer logits `output` is in `kept`.
    """

    operators: tuple[IntegerOperator, ...]
    kept: Mapping[str, Affine]
    input: str
    output: str

    @classmethod
    def of(cls, quantized: Quantized, integer_logits: bool = False) -> "IntegerNetwork":
        """The integers of a quantized network.

        `integer_logits`: the logits in 8 bits too; `FitnasError` where their range is not known, or the last operator
        computes floats.
        """
        return _Builder(quantized.with_integer_logits() if integer_logits else quantized).network(integer_logits)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures (n, C, H, W), normalised as for training -> logits (n, classes), float32 in any case."""
        logits = self.tensors(pictures)[self.output]
        how = self.kept.get(self.output)
        return logits if how is None else how.real(logits)

    def integers(self, pictures: Tensor) -> dict[str, Tensor]:
        """Every tensor that is kept in few bits, by name, int32."""
        return {name: value for name, value in self.tensors(pictures).items() if name in self.kept}

    @torch.no_grad()
    def tensors(self, pictures: Tensor) -> dict[str, Tensor]:
        """Every tensor by name; floats have names that end with `.real`."""
        values: dict[str, Tensor] = {self.input: pictures}
        for each in self.operators:
            values[each.output] = each.run(*(values[name] for name in each.inputs))
        return values


class _Builder:
    """Walks over the graph; a node's floats have its name and `.real`, its integers its name."""

    def __init__(self, quantized: Quantized) -> None:
        self.quantized, self.captured = quantized, quantized.captured
        self.graph = quantized.captured.graph
        self.made: list[IntegerOperator] = []
        self.kept: dict[str, Affine] = {}
        self.floats: set[str] = set()
        self.numbers = shapes(self.graph)
        self.bits = {name: how.bits for name, how in quantized.kept.items()}
        self.weighted = {each.node: quantized.policy.widths[each.name] for each in self.captured.operators}
        self.multiplying = {name for name, width in self.weighted.items() if width.input_bits < FLOAT_BITS}
        self.fused: set[str] = set()

    def network(self, integer_logits: bool) -> IntegerNetwork:
        given, output = "", ""
        for node in self.graph.graph.nodes:
            if node.op == "placeholder":
                given = self._float_name(node)
                self.floats.add(node.name)
                self._keep_floats(node)
            elif node.op == "output":
                output = node.args[0].name if integer_logits else self._real(node.args[0])
            elif node.name not in self.fused:
                self._add(node)
        return IntegerNetwork(tuple(self.made), self.kept, given, output)

    def _add(self, node: fx.Node) -> None:
        if node.name in self.numbers:
            self._as_it_is(node, node.name)
        elif node.name in self.multiplying:
            self._add_weighted(node)
        elif node.op != "get_attr" and self._is_integer(node):
            self._add_in_integers(node)
        else:
            self._add_in_floats(node)

    def _is_integer(self, node: fx.Node) -> bool:
        return runs_in_integers(self.captured, node, self.bits, self.multiplying, self.numbers)

    # operators with weights

    def _add_weighted(self, node: fx.Node) -> None:
        how_in, source = self._read(node)
        weights, module = self.quantized.weights[node.name], self._module(node)
        if weights is None:
            raise FitnasError(f"the operator {node.name} multiplies integers, but its weights are floats")
        scales = (weights.scales.double() * how_in.scale).expand(len(weights.integers))
        bias = torch.zeros_like(scales) if module.bias is None else torch.round(module.bias.detach().double() / scales)
        output, how_out, bounds = self._output(node)
        requantization = None
        if how_out is not None:
            requantization = Requantization.of(scales / how_out.scale, how_out.zero_point, bounds)
        common = (output, (source,), weights.integers, weights.bits, bias.int(), how_in.zero_point)
        if isinstance(module, nn.Linear):
            made: IntegerOperator = ops.FullyConnected(*common, requantization, scales)
        else:
            shape = (_pair(module.stride), _pair(module.padding), module.groups)
            made = ops.Convolution(*common, requantization, scales, *shape)
        self._append(made, node, how_out)

    def _read(self, node: fx.Node) -> tuple[Affine, str]:
        """How an operator with weights reads its input, and the tensor."""
        source: Any = node.args[0]
        own, there = self.quantized.read.get(node.name), self.quantized.affine(source)
        if own is None:
            if there is None:
                raise FitnasError(f"the operator {node.name} multiplies integers, but its input is kept as floats")
            return there, source.name
        name = f"{source.name}.{node.name}"
        self.kept[name] = own
        if there is None:
            self.made.append(ops.Quantize(name, (self._real(source),), own))
        else:
            self.made.append(_rescale(name, source.name, there, own))
        return own, name

    def _output(self, node: fx.Node) -> tuple[str, Affine | None, tuple[int, int]]:
        """The tensor that an integer operator makes, how it is kept, and between which bounds: with the activation
        behind it where this only bounds.
        """
        after = kept_node(self.graph, node)
        if after is not node and cuts_off(self.graph, after) and after.name in self.quantized.kept:
            self.fused.add(after.name)
            how = self.quantized.kept[after.name]
            return after.name, how, self._bounds(after, how)
        own = self.quantized.kept.get(node.name)
        if own is None:
            return self._float_name(node), None, (0, 0)
        return node.name, own, (own.least, own.most)

    def _bounds(self, activation: fx.Node, how: Affine) -> tuple[int, int]:
        least = max(how.least, how.zero_point)
        if isinstance(self.captured.module(activation), nn.ReLU6):
            return least, min(how.most, how.zero_point + round(_SIX / how.scale))
        return least, how.most

    def _append(self, made: IntegerOperator, node: fx.Node, how: Affine | None) -> None:
        self.made.append(made)
        if how is None:
            self.floats.add(node.name)
        else:
            self.kept[made.output] = how

    # operators of integers without weights

    def _add_in_integers(self, node: fx.Node) -> None:
        sources = [source.name for source in node.all_input_nodes if source.name not in self.numbers]
        hows = [self._known(source) for source in node.all_input_nodes if source.name not in self.numbers]
        if moves(self.graph, node):
            self._append(self._moved(node, hows[0]), node, hows[0])
            return
        if is_activation(self.graph, node):
            self._append_looked_up(node, sources[0], hows[0])
            return
        output, how, bounds = self._output(node)
        if how is None:
            self._add_in_floats(node)
        elif node.target in (*_ADDING, *_MULTIPLYING) and len(node.args) == len(sources) == 2:
            make = _addition if node.target in _ADDING else _product
            self._append(make(output, sources, hows, how, bounds), node, how)
        elif node.target is torch.cat:
            self._append_joined(node, output, how)
        elif is_window_mean(self.captured, node) and (pool := self._window_mean(node, output, hows[0], how)):
            self._append(pool, node, how)
        elif (axes := self._mean_axes(node)) is not None:
            factor = torch.tensor([hows[0].scale / how.scale], dtype=torch.float64)
            requantization = Requantization.of(factor, how.zero_point, bounds)
            self._append(ops.Mean(output, (sources[0],), *axes, hows[0].zero_point, requantization), node, how)
        else:
            self.fused.discard(output)
            self._add_in_floats(node)

    def _known(self, node: fx.Node) -> Affine:
        how = self.quantized.affine(node)
        if how is None:
            raise FitnasError(f"the tensor {node.name} is read as integers, but kept as floats")
        return how

    def _moved(self, node: fx.Node, how: Affine) -> IntegerOperator:
        module = self._module(node)
        if isinstance(module, nn.MaxPool2d):
            return ops.MaxPool(node.name, (node.all_input_nodes[0].name,), module)
        if node.target is functional.pad:
            padding = {"pad": node.args[1] if len(node.args) > 1 else node.kwargs["pad"], "value": how.zero_point}
            source = node.all_input_nodes[0].name
            read = (ops.Reference(source),)
            return ops.GraphOperator(node.name, (source,), "call_function", functional.pad, read, padding)
        return self._graph_operator(node, node.name, {})

    def _append_looked_up(self, node: fx.Node, source: str, before: Affine) -> None:
        function = self._function(node)
        after = self.quantized.kept.get(node.name)
        if after is None:
            self._add_in_floats(node)
            return
        self._append(ops.Lookup.of(node.name, source, function, before, after), node, after)

    def _append_joined(self, node: fx.Node, output: str, how: Affine) -> None:
        parts: Any = node.args[0]
        names: list[str] = []
        for part in parts:
            own, name = self._known(part), part.name
            if own != how:
                name = f"{part.name}.{node.name}"
                self.made.append(_rescale(name, part.name, own, how))
                self.kept[name] = how
            names.append(name)
        axis: Any = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
        self._append(ops.Concatenation(output, tuple(names), axis), node, how)

    def _window_mean(self, node: fx.Node, output: str, before: Affine, after: Affine) -> IntegerOperator | None:
        """None where windows have another form than AVERAGE_POOL_2D's, or the scales differ."""
        given = self._module(node)
        names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
        told = dict(zip(names, node.args[1:], strict=False)) | node.kwargs if given is None else vars(given)
        kernel, padding = _pair(told["kernel_size"]), _pair(told.get("padding", 0))
        stride = _pair(told.get("stride") or kernel)
        if before != after or padding != (0, 0) or kernel[0] != kernel[1] or stride[0] != stride[1]:
            return None
        form = (kernel[0], stride[0], bool(told.get("ceil_mode", False)))
        return ops.AveragePool(output, (node.all_input_nodes[0].name,), *form, after.least, after.most)

    def _mean_axes(self, node: fx.Node) -> tuple[tuple[int, ...], bool] | None:
        """The axes of a mean, and whether they stay; None where it is no mean over whole axes."""
        module = self._module(node)
        if isinstance(module, nn.AdaptiveAvgPool2d) and _pair(module.output_size) == (1, 1):
            return (-2, -1), True
        if node.op == "call_method" and node.target == "mean":
            axes: Any = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
            keep = bool(node.kwargs.get("keepdim", node.args[2] if len(node.args) > 2 else False))
            return None if axes is None else ((axes,) if isinstance(axes, int) else tuple(axes), keep)
        return None

    # floats

    def _add_in_floats(self, node: fx.Node) -> None:
        renamed = {
            source.name: source.name if source.name in self.numbers else self._real(source)
            for source in node.all_input_nodes
        }
        self._append(self._graph_operator(node, self._float_name(node), renamed), node, None)
        self._keep_floats(node)

    def _keep_floats(self, node: fx.Node) -> None:
        """Quantizes floats that are kept in few bits."""
        how = self.quantized.kept.get(node.name)
        if how is not None:
            self.made.append(ops.Quantize(node.name, (self._float_name(node),), how))
            self.kept[node.name] = how

    def _as_it_is(self, node: fx.Node, output: str) -> None:
        """A number: of the shape of a tensor, whatever this is kept as."""
        renamed = {
            source.name: self._float_name(source) if source.name in self.floats else source.name
            for source in node.all_input_nodes
        }
        self.made.append(self._graph_operator(node, output, renamed))

    def _graph_operator(self, node: fx.Node, output: str, renamed: Mapping[str, str]) -> ops.GraphOperator:
        by_name = {source.name: renamed.get(source.name, source.name) for source in node.all_input_nodes}
        target: Any = node.target
        kind = node.op
        if node.op == "get_attr":
            value = _attribute(self.graph, str(node.target))
            kind, target = "call_function", lambda: value
        elif node.op == "call_module":
            target = self._function(node)

        def reference(source: fx.Node) -> Any:
            return ops.Reference(by_name[source.name])

        given: Any = fx.node.map_arg((node.args, node.kwargs), reference)
        return ops.GraphOperator(output, tuple(by_name.values()), kind, target, *given)

    def _real(self, node: fx.Node) -> str:
        """The floats of a node, dequantized where it is kept as integers."""
        name = self._float_name(node)
        if node.name not in self.floats:
            how = self._known(node)
            self.made.append(ops.Dequantize(name, (node.name,), how))
            self.floats.add(node.name)
        return name

    def _float_name(self, node: fx.Node) -> str:
        return f"{node.name}.real"

    def _module(self, node: fx.Node) -> Any:
        return self.captured.module(node)

    def _function(self, node: fx.Node) -> Any:
        """What a node calls, with weights as their integers say."""
        if node.name in self.weighted:
            return self.quantized.rounded_module(node.name)
        return self._module(node) if node.op == "call_module" else node.target


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module.detach()


def _rescale(output: str, source: str, before: Affine, after: Affine) -> ops.Rescale:
    factor = torch.tensor([before.scale / after.scale], dtype=torch.float64)
    requantization = Requantization.of(factor, after.zero_point, (after.least, after.most))
    return ops.Rescale(output, (source,), before.zero_point, requantization)


def _addition(
    output: str, sources: Sequence[str], hows: Sequence[Affine], how: Affine, bounds: tuple[int, int]
) -> ops.Addition:
    """As `PrepareGeneralAddOutput` of TensorFlow Lite's add.cc."""
    common = 2 * max(each.scale for each in hows)
    pairs = [quantized_multiplier(each.scale / common) for each in hows]
    factor = torch.tensor([common / ((1 << ops.ADD_LEFT_SHIFT) * how.scale)], dtype=torch.float64)
    first, second = hows
    return ops.Addition(
        output,
        (sources[0], sources[1]),
        (first.zero_point, second.zero_point),
        (pairs[0][0], pairs[1][0]),
        (pairs[0][1], pairs[1][1]),
        Requantization.of(factor, how.zero_point, bounds),
    )


def _product(
    output: str, sources: Sequence[str], hows: Sequence[Affine], how: Affine, bounds: tuple[int, int]
) -> ops.Product:
    first, second = hows
    factor = torch.tensor([first.scale * second.scale / how.scale], dtype=torch.float64)
    requantization = Requantization.of(factor, how.zero_point, bounds)
    return ops.Product(output, (sources[0], sources[1]), (first.zero_point, second.zero_point), requantization)
