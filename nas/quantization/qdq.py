"""A quantized network as a graph that quantizes and dequantizes around each operator: the form that ONNX runtimes fuse.

Weights are stored as integers, biases too where the operator multiplies integers. Activations are unsigned, zero points
128 higher than elsewhere here: on x86 processors the fast form.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.ao.quantization.fx import _decomposed  # noqa: F401  (defines torch.ops.quantized_decomposed)
from torch.nn import functional

from nas.onnx_door import FOUR_BITS, INTEGERS
from nas.quantization.affine import Affine, Weights
from nas.quantization.capture import cuts_off, moves
from nas.quantization.quantized import Quantized

_BYTE = (0, 255, torch.uint8)
_SIGNED = (-128, 127, torch.int8)
_WIDE = (-(1 << 31), (1 << 31) - 1, torch.int32)


def qdq_network(quantized: Quantized) -> fx.GraphModule:
    """The network for `nas.onnx_door.quantized_onnx_file`: pictures (n, C, H, W) -> logits, both float32."""

    def operator(name: str) -> nn.Module:
        node, weights = quantized.captured.node(name), quantized.weights[name]
        module: Any = quantized.captured.module(node)
        if weights is None:
            return module  # type: ignore[no-any-return]
        source: Any = node.args[0]
        how = quantized.read.get(name) or quantized.affine(source)
        multiplies = quantized.policy.widths[quantized.operator(name).name].input_bits == _BITS
        return _Operator(module, weights, how if multiplies else None)

    return _everywhere(quantized).rebuilt(operator, lambda how, _: QuantizeDequantize(how))


_BITS = 8


def _everywhere(quantized: Quantized) -> Quantized:
    """With other shapes of what is kept rounded too, and what an activation cuts off at an integer in the middle: no
    number changes, and runtimes fuse what is between roundings.
    """
    graph = quantized.captured.graph
    kept = dict(quantized.kept)
    for node in graph.graph.nodes:
        how = quantized.affine(node)
        if how is None:
            continue
        if moves(graph, node):
            kept[node.name] = how
        elif cuts_off(graph, node) and not how.is_positive:
            kept.setdefault(node.all_input_nodes[0].name, how)
    return replace(quantized, kept=kept)


class QuantizeDequantize(nn.Module):
    """Rounds activations to what is kept of them."""

    def __init__(self, how: Affine) -> None:
        super().__init__()
        self.scale, self.zero_point = how.scale, how.zero_point - how.least

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        quantized = torch.ops.quantized_decomposed
        kept = quantized.quantize_per_tensor(values, self.scale, self.zero_point, *_BYTE)
        back: Tensor = quantized.dequantize_per_tensor(kept, self.scale, self.zero_point, *_BYTE)
        return back


class _Stored(nn.Module):
    """Integers with their float32 scales along `axis`: one each, or one for all."""

    def __init__(
        self, integers: Tensor, scales: Tensor, axis: int, kind: tuple[int, int, torch.dtype], name: str = INTEGERS
    ) -> None:
        super().__init__()
        self.name, self.axis, self.kind = name, axis, kind
        self.register_buffer(name, integers.to(kind[2]).contiguous())
        self.one = float(scales[0]) if len(scales) == 1 else None
        if self.one is None:
            self.register_buffer("scales", scales.float())
            self.register_buffer("zero_points", torch.zeros(len(scales), dtype=torch.int64))

    def forward(self) -> Tensor:
        """What they stand for."""
        quantized, integers = torch.ops.quantized_decomposed, getattr(self, self.name)
        if self.one is not None:
            same: Tensor = quantized.dequantize_per_tensor(integers, self.one, 0, *self.kind)
            return same
        real: Tensor = quantized.dequantize_per_channel(integers, self.scales, self.zero_points, self.axis, *self.kind)
        return real


class _Operator(nn.Module):
    """A convolution or linear operator with stored weights. `how`: of its input, None where it multiplies floats."""

    def __init__(self, module: Any, weights: Weights, how: Affine | None) -> None:
        super().__init__()
        self.linear = isinstance(module, nn.Linear)
        integers = weights.integers.T if self.linear else weights.integers
        name = FOUR_BITS if weights.bits == 4 else INTEGERS
        self.weight = _Stored(integers, weights.scales, int(self.linear), _SIGNED, name)
        self.bias = module.bias if module.bias is None or how is None else _stored_bias(module.bias, weights, how)
        if not self.linear:
            self.shape = (module.stride, module.padding, module.dilation, module.groups)

    def forward(self, x: Tensor) -> Tensor:
        """What the operator computes."""
        weight = self.weight()
        bias = self.bias() if isinstance(self.bias, _Stored) else self.bias
        if not self.linear:
            convolved: Tensor = functional.conv2d(x, weight, bias, *self.shape)
            return convolved
        if bias is not None and x.dim() == 2:
            return torch.addmm(bias, x, weight)
        product: Tensor = x @ weight
        return product if bias is None else product + bias


def _stored_bias(bias: Tensor, weights: Weights, how: Affine) -> _Stored:
    scales = weights.scales.double() * how.scale
    return _Stored(torch.round(bias.detach().double() / scales), scales, 0, _WIDE)
