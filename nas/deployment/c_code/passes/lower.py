"""An integer network as a program: maps with their channels last, weights in plain order, numbers as C keeps them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.deployment.c_code import program as c
from nas.deployment.c_code.program import Bounded, Map, Operator, Program, Scaling, Window
from nas.quantization import operators as ops
from nas.quantization.integer import IntegerNetwork
from nas.quantization.integer_forms import listed
from nas.quantization.requantize import Requantization
from search_spaces.core.errors import WrongUse

_RESHAPING = ("flatten", "reshape", "view", "squeeze", "unsqueeze")
_LEAST, _MOST = -128, 127
_SUMS_BELOW = 1 << 30  # so that a kernel may double them
_INSTEAD = "export it --to onnx --int8, or search a space without them"


def lower(network: IntegerNetwork, size: tuple[int, int, int]) -> Program:
    """From the quantized picture of `size` (C, H, W) to int8 logits.

    Operators have the names of the tensors that they make. An addition's first input is the one that was made last.
    `WrongUse` names operators that C here lacks.
    """
    return _Lowering(network, size).program()


class _Lowering:
    def __init__(self, network: IntegerNetwork, size: tuple[int, int, int]) -> None:
        self.network = network
        values = network.tensors(torch.zeros(1, *size))
        self.shapes = {name: tuple(value.shape) for name, value in values.items() if isinstance(value, Tensor)}
        self.maps: dict[str, Map] = {}
        self.made: list[Operator] = []

    def program(self) -> Program:
        given = next(each.output for each in self.network.operators if self.network.input in each.inputs)
        self.maps[given] = self._map(given)
        behind = [each for each in self.network.operators if each.output in self.network.kept and each.output != given]
        if lacking := [f"{each.output} ({why})" for each in behind if (why := self._lacks(each))]:
            raise WrongUse(f"C has no kernel for these operators: {listed(lacking)}; {_INSTEAD}")
        for each in behind:
            self._add(each)
        return Program(tuple(self.made), self.maps[given], self.maps[self.network.output])

    def _lacks(self, each: ops.IntegerOperator) -> str:
        """Why an operator is refused; empty where it is not."""
        whole_map = len(self.shapes[each.inputs[0]]) == 4
        match each:
            case ops.GraphOperator():
                shapes = [self.shapes[each.inputs[0]], self.shapes[each.output]]
                flat = all(len(shape) == 2 or shape[2:] == (1, 1) for shape in shapes)
                return "" if flat and _called(each) in _RESHAPING else _called(each)
            case ops.Mean():
                axes = sorted(axis % 4 for axis in each.axes)
                return "" if whole_map and axes == [2, 3] else "a mean over other axes than height and width"
            case ops.MaxPool():
                pool: Any = each.pool
                plain = isinstance(pool, nn.MaxPool2d) and _pair(pool.dilation) == (1, 1)
                return "" if plain else "a maximum of dilated windows"
            case ops.Concatenation():
                return "channels beside each other"
            case ops.FullyConnected():
                return "" if len(self.shapes[each.output]) == 2 else "a linear operator on tokens"
        return ""

    def _map(self, name: str) -> Map:
        _, channels, *sides = self.shapes[name]
        height, width = sides or (1, 1)
        return Map(name, height, width, channels)

    def _add(self, each: ops.IntegerOperator) -> None:
        """Appends it, or takes the tensor's other shape for the same bytes."""
        if isinstance(each, ops.GraphOperator):
            self.maps[each.output] = self.maps[each.inputs[0]]
            return
        self.maps[each.output] = self._map(each.output)
        known: dict[str, Any] = {
            "name": each.output,
            "inputs": tuple(self.maps[name] for name in each.inputs),
            "output": self.maps[each.output],
        }
        self.made.append(self._lowered(each, known))

    def _lowered(self, each: ops.IntegerOperator, known: dict[str, Any]) -> Operator:
        match each:
            case ops.Convolution():
                return self._convolution(each, known)
            case ops.FullyConnected():
                return c.FullyConnected(**known, weights=_weights(each, each.weights.numpy()))
            case ops.Addition():
                return self._addition(each, known)
            case ops.Product():
                factor, bounds = _scaled(each.requantization)
                return c.Multiply(**known, zero_points=each.input_zero_points, factor=factor, bounds=bounds)
            case ops.Mean():
                source = known["inputs"][0]
                factor, bounds = _scaled(each.of_many(source.height * source.width))
                return c.Mean(**known, zero_point=each.input_zero_point, factor=factor, bounds=bounds)
            case ops.AveragePool():
                window = Window((each.kernel, each.kernel), (each.stride, each.stride), 0, 0)
                return c.Pool(**known, window=window, largest=False, bounds=Bounded(0, each.least, each.most))
            case ops.MaxPool():
                pool: Any = each.pool
                window = Window(_pair(pool.kernel_size), _pair(pool.stride), *_pair(pool.padding))
                return c.Pool(**known, window=window, largest=True, bounds=Bounded(0, _LEAST, _MOST))
            case ops.Lookup() | ops.Rescale():
                return c.Lookup(**known, table=_table(each))
        raise WrongUse(f"C has no kernel for {each.output} ({type(each).__name__}); {_INSTEAD}")

    def _addition(self, each: ops.Addition, known: dict[str, Any]) -> Operator:
        zeros = each.input_zero_points
        factors = [Scaling(*pair) for pair in zip(each.input_multipliers, each.input_shifts, strict=True)]
        made = list(self.maps.values())
        if made.index(known["inputs"][0]) < made.index(known["inputs"][1]):
            zeros, factors, known["inputs"] = (zeros[1], zeros[0]), factors[::-1], known["inputs"][::-1]
        return c.Add(**known, addition=c.Addition(zeros, (factors[0], factors[1]), *_scaled(each.requantization)))

    def _convolution(self, each: ops.Convolution, known: dict[str, Any]) -> Operator:
        integers = each.weights.numpy().transpose(0, 2, 3, 1)  # channel, row, column, input channel
        window = Window((integers.shape[1], integers.shape[2]), each.stride, *each.padding)
        if each.groups > 1 and integers.shape[3] == 1 and len(integers) == each.groups:
            return c.Depthwise(**known, window=window, weights=_weights(each, integers[..., 0]))
        return c.Convolution(**known, window=window, weights=_weights(each, integers), groups=each.groups)


def _weights(each: ops.WeightedOperator, integers: NDArray[np.int8]) -> c.Weights:
    requantized = each.requantization
    assert requantized is not None  # operators that make floats were refused
    sums = integers.reshape(len(integers), -1).sum(axis=1, dtype=np.int64)
    bias = each.bias.numpy().astype(np.int64) - each.input_zero_point * sums
    most = np.abs(bias) - _LEAST * np.abs(integers.reshape(len(integers), -1).astype(np.int64)).sum(axis=1)
    if len(bias) and most.max() >= _SUMS_BELOW:
        raise WrongUse(f"{each.output}: a sum can reach {most.max():,}, and kernels in C need them below 2^30")
    channels = (len(integers),)
    return c.Weights(
        integers=np.ascontiguousarray(integers),
        bits=each.weight_bits,
        bias=bias.astype(np.int32),
        multipliers=np.broadcast_to(requantized.multipliers.numpy().astype(np.int32), channels),
        shifts=np.broadcast_to(requantized.shifts.numpy().astype(np.int8), channels),
        input_zero_point=each.input_zero_point,
        output=Bounded(requantized.zero_point, requantized.least, requantized.most),
    )


def _scaled(how: Requantization) -> tuple[Scaling, Bounded]:
    """Of one factor for all."""
    return Scaling(int(how.multipliers[0]), int(how.shifts[0])), Bounded(how.zero_point, how.least, how.most)


def _table(each: ops.IntegerOperator) -> NDArray[np.int8]:
    """What a function of one element makes of each of the 256 integers."""
    return each.run(torch.arange(_LEAST, _MOST + 1, dtype=torch.int32)).numpy().astype(np.int8)


def _called(each: ops.GraphOperator) -> str:
    if isinstance(each.target, nn.Module):
        return type(each.target).__name__.lower()
    return each.target if isinstance(each.target, str) else getattr(each.target, "__name__", str(each.target))


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
