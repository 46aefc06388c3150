"""The operators of an integer network, with every number that an exporter needs.

Integers of few bits travel as int32 tensors. Arithmetic is that of TensorFlow Lite's int8 reference kernels
(tensorflow/lite/kernels/internal/reference), and of narrower widths the same within their bounds. Shapes are torch's:
pictures (n, channels, height, width), tokens (n, tokens, channels).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.quantization.affine import Affine
from nas.quantization.requantize import Requantization, multiplied

ADD_LEFT_SHIFT = 20
"""Bits by which an addition widens its inputs."""

_MOST_BITS_OF_A_COUNT = 32


@dataclass(frozen=True)
class IntegerOperator:
    """One operator: reads the tensors `inputs` by name, makes `output`."""

    output: str
    inputs: tuple[str, ...]

    def run(self, *values: Tensor) -> Tensor:
        """The output for its inputs."""
        raise NotImplementedError


@dataclass(frozen=True)
class Quantize(IntegerOperator):
    """Floats to integers, ties to the even one."""

    how: Affine

    def run(self, *values: Tensor) -> Tensor:
        return self.how.integers(values[0])


@dataclass(frozen=True)
class Dequantize(IntegerOperator):
    """Integers to floats."""

    how: Affine

    def run(self, *values: Tensor) -> Tensor:
        return self.how.real(values[0])


@dataclass(frozen=True)
class Rescale(IntegerOperator):
    """Integers of one scale to those of another: QUANTIZE with an integer input."""

    input_zero_point: int
    requantization: Requantization

    def run(self, *values: Tensor) -> Tensor:
        return self.requantization.integers(values[0] - self.input_zero_point)


@dataclass(frozen=True)
class WeightedOperator(IntegerOperator):
    """A convolution or linear operator: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED.

    Attributes:
        weights: int8, output channels first as in torch; `weight_bits` of them count.
        bias: int32 `(channels,)`, of scale input x weight; zeros where there is none.
        input_zero_point: what stands for 0.0 in the input, and pads it.
        requantization: to the output's integers; None where the output is floats.
        scales: float64 `(channels,)`, what one accumulated unit stands for.
    """

    weights: Tensor
    weight_bits: int
    bias: Tensor
    input_zero_point: int
    requantization: Requantization | None
    scales: Tensor

    def run(self, *values: Tensor) -> Tensor:
        # sums stay below 2^53, so that float64 holds them exactly in any order
        accumulators = self._accumulated((values[0] - self.input_zero_point).double())
        axis = 1 if self.weights.ndim > 2 else -1
        if self.requantization is not None:
            return self.requantization.integers(accumulators, axis)
        shape = [1] * accumulators.ndim
        shape[axis] = -1
        return (accumulators * self.scales.reshape(shape)).float()

    def _accumulated(self, centred: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Convolution(WeightedOperator):
    """With `stride`, `padding` (at both ends) and `groups`; depthwise where there are as many groups as channels."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int

    def _accumulated(self, centred: Tensor) -> Tensor:
        return functional.conv2d(
            centred, self.weights.double(), self.bias.double(), self.stride, self.padding, 1, self.groups
        )


@dataclass(frozen=True)
class FullyConnected(WeightedOperator):
    """Over the last axis."""

    def _accumulated(self, centred: Tensor) -> Tensor:
        return functional.linear(centred, self.weights.double(), self.bias.double())


@dataclass(frozen=True)
class Addition(IntegerOperator):
    """ADD: both inputs brought to twice the larger scale with `ADD_LEFT_SHIFT` more bits, added, and requantized.

    `input_zero_points`, `input_multipliers`, `input_shifts`: of each of the two.
    """

    input_zero_points: tuple[int, int]
    input_multipliers: tuple[int, int]
    input_shifts: tuple[int, int]
    requantization: Requantization

    def run(self, *values: Tensor) -> Tensor:
        scaled = [
            multiplied((value.long() - zero_point) << ADD_LEFT_SHIFT, torch.tensor(mantissa), torch.tensor(exponent))
            for value, zero_point, mantissa, exponent in zip(
                values, self.input_zero_points, self.input_multipliers, self.input_shifts, strict=True
            )
        ]
        return self.requantization.integers(scaled[0] + scaled[1])


@dataclass(frozen=True)
class Product(IntegerOperator):
    """MUL."""

    input_zero_points: tuple[int, int]
    requantization: Requantization

    def run(self, *values: Tensor) -> Tensor:
        first, second = (
            value.long() - zero_point for value, zero_point in zip(values, self.input_zero_points, strict=True)
        )
        return self.requantization.integers(first * second)


@dataclass(frozen=True)
class Mean(IntegerOperator):
    """MEAN over `axes` (`QuantizedMeanOrSum`): the number of elements is divided out of the multiplier.

    `requantization`: of one element.
    """

    axes: tuple[int, ...]
    keep_axes: bool
    input_zero_point: int
    requantization: Requantization

    def run(self, *values: Tensor) -> Tensor:
        [value] = values
        count = 1
        for axis in self.axes:
            count *= value.shape[axis]
        sums = (value.long() - self.input_zero_point).sum(dim=self.axes, keepdim=self.keep_axes)
        return self.of_many(count).integers(sums)

    def of_many(self, count: int) -> Requantization:
        """Of the sum of so many elements."""
        each = self.requantization
        mantissa, exponent = int(each.multipliers[0]), int(each.shifts[0])
        shift = min(count.bit_length() - 1, _MOST_BITS_OF_A_COUNT, 31 + exponent)
        mantissas = torch.tensor([(mantissa << shift) // count], dtype=torch.int32)
        return Requantization(
            mantissas, torch.tensor([exponent - shift], dtype=torch.int32), each.zero_point, each.least, each.most
        )


@dataclass(frozen=True)
class AveragePool(IntegerOperator):
    """AVERAGE_POOL_2D, whose output has its input's scale: halves away from zero, what lies outside is not counted."""

    kernel: int
    stride: int
    ceil_mode: bool
    least: int
    most: int

    def run(self, *values: Tensor) -> Tensor:
        sums, counts = (self._sums(each) for each in (values[0], torch.ones_like(values[0][:1, :1])))
        half = torch.where(sums > 0, counts // 2, -(counts // 2))
        return torch.div(sums + half, counts, rounding_mode="trunc").clamp(self.least, self.most).int()

    def _sums(self, values: Tensor) -> Tensor:
        places = [self._extent(side) for side in values.shape[-2:]]
        reached = [(count - 1) * self.stride + self.kernel for count in places]
        room = [max(end - side, 0) for end, side in zip(reached, values.shape[-2:], strict=True)]
        padded = functional.pad(values.long(), (0, room[1], 0, room[0]))
        windows = padded.unfold(2, self.kernel, self.stride).unfold(3, self.kernel, self.stride)
        return windows.sum(dim=(-2, -1))[:, :, : places[0], : places[1]]

    def _extent(self, side: int) -> int:
        over = side - self.kernel
        if not self.ceil_mode:
            return over // self.stride + 1
        return min(-(-over // self.stride), (side - 1) // self.stride) + 1  # each window begins inside


@dataclass(frozen=True)
class MaxPool(IntegerOperator):
    """MAX_POOL_2D, whose output has its input's scale."""

    pool: nn.Module

    def run(self, *values: Tensor) -> Tensor:
        return self.pool(values[0].double()).int()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Concatenation(IntegerOperator):
    """CONCATENATION of tensors of one scale."""

    axis: int

    def run(self, *values: Tensor) -> Tensor:
        return torch.cat(values, dim=self.axis)


@dataclass(frozen=True)
class Lookup(IntegerOperator):
    """A function of one element: `table` int32 `(2^bits,)`, whose first entry is of the integer `least`."""

    table: Tensor
    least: int

    def run(self, *values: Tensor) -> Tensor:
        return self.table[(values[0] - self.least).long()]

    @classmethod
    def of(
        cls, output: str, source: str, function: Callable[[Tensor], Tensor], before: Affine, after: Affine
    ) -> "Lookup":
        """Of a real function, rounded once."""
        integers = torch.arange(before.least, before.most + 1)
        return cls(output, (source,), after.integers(function(before.real(integers))), before.least)


@dataclass(frozen=True)
class Reference:
    """A tensor among the arguments of a `GraphOperator`."""

    name: str


@dataclass(frozen=True)
class GraphOperator(IntegerOperator):
    """A node of the network's graph as it is, without weights in few bits.

    On floats what has no integer form here, in float32: norms, softmax, matrix products, operators of width fp32 or
    with weights alone in few bits. On integers what only moves elements. `arguments`, `options`: with `Reference` for
    each tensor or number that another operator made.
    """

    kind: str
    target: Any
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def run(self, *values: Tensor) -> Tensor:
        by_name = dict(zip(self.inputs, values, strict=True))

        def filled(value: Any) -> Any:
            return by_name[value.name] if isinstance(value, Reference) else value

        arguments: Any = fx.node.map_aggregate(self.arguments, filled)
        options: Any = fx.node.map_aggregate(self.options, filled)
        if self.kind == "call_method":
            return getattr(arguments[0], self.target)(*arguments[1:], **options)  # type: ignore[no-any-return]
        return self.target(*arguments, **options)  # type: ignore[no-any-return]
