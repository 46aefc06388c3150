"""An integer network as an int8 .tflite file whose outputs are the network's, bit for bit.

Maps are (1, height, width, channels) there. TensorFlow Lite pads either not at all or as it computes itself ("SAME"),
at the end first. Where the network's own padding differs, as it does for most strides of 2, the kernel gets zeros
behind its last row and column until both agree: a few products with 0 in place of a padded copy of the map (PAD), which
would be the largest tensor of many networks. Where no such kernel exists, PAD it is.

A mean over the whole map is MEAN. AVERAGE_POOL_2D would keep its input's scale, where MEAN rescales to that of its
output; both run in TensorFlow Lite Micro, and MEAN is the one that equals the integer reference in it and in LiteRT.
A linear operator on a vector is CONV_2D on a map of one pixel: LiteRT's FULLY_CONNECTED rounds otherwise where weights
have a scale for each channel.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema
from torch import Tensor, nn
from torch.nn import functional

from nas.quantization import operators as ops
from nas.quantization.affine import Affine
from nas.quantization.integer import IntegerNetwork
from nas.quantization.integer_forms import listed
from nas.quantization.requantize import Requantization
from nas.tflite_door.model import ModelFile
from search_spaces.core.errors import WrongUse

_SAME, _VALID = schema.Padding.SAME, schema.Padding.VALID
_TO_NHWC = {0: 0, 1: 3, 2: 1, 3: 2}
_SIX = 6.0
_RESHAPING = ("flatten", "reshape", "view", "squeeze", "unsqueeze")
_NAMED = "these operators have no equal in TensorFlow Lite Micro: "
_INSTEAD = "export it --to onnx --int8, or search a space without them"


@dataclass(frozen=True)
class Written:
    """`content`: the file; `operators`: those that it needs, by name; `given`: the network's name of its input.
    `zero_weights`: zeros that widen kernels, bytes; `zero_macs`: products with them. `kept`: how input and output are
    quantized.
    """

    content: bytes
    operators: tuple[str, ...]
    given: str
    zero_macs: int
    zero_weights: int
    kept: tuple[Affine, Affine]


def tflite_file(network: IntegerNetwork, size: tuple[int, int, int]) -> Written:
    """The file of a network for one picture of `size` (C, H, W), with int8 input and logits.

    The first operator, which quantizes the picture, is left to the caller. `WrongUse` names operators that the file
    cannot hold.
    """
    return _Writer(network, size).written()


class _Writer:
    def __init__(self, network: IntegerNetwork, size: tuple[int, int, int]) -> None:
        self.network, self.kept = network, network.kept
        with torch.no_grad():
            values = network.tensors(torch.zeros(1, *size))
        self.shapes = {name: tuple(value.shape) for name, value in values.items() if isinstance(value, Tensor)}
        self.file, self.made = ModelFile(), dict[str, int]()
        self.zero_macs = self.zero_weights = 0
        self.given = next(each.output for each in network.operators if network.input in each.inputs)

    def written(self) -> Written:
        refused = [f"{each.output} ({what})" for each in self.network.operators if (what := self._refused(each))]
        if refused:
            raise WrongUse(f"{_NAMED}{listed(refused)}; {_INSTEAD}")
        self.made[self.given] = self.file.activation(self._shape(self.given), self.kept[self.given], "input")
        for each in self.network.operators:
            if each.output in self.kept and each.output != self.given:
                self._add(each)
        content = self.file.content(self.made[self.given], self.made[self.network.output])
        ends = (self.kept[self.given], self.kept[self.network.output])
        return Written(content, tuple(self.file.codes), self.given, self.zero_macs, self.zero_weights, ends)

    def _shape(self, name: str) -> tuple[int, ...]:
        """In the file: maps with their channels last, and vectors as maps of one pixel."""
        shape = self.shapes[name]
        if len(shape) == 2:
            return (shape[0], 1, 1, shape[1])
        return (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape

    def _refused(self, each: ops.IntegerOperator) -> str:
        """Why an operator is refused; empty where it is not."""
        if each.output not in self.kept or each.output == self.given:
            return ""
        if isinstance(each, ops.Lookup):
            return "a function by table"
        if isinstance(each, ops.GraphOperator):
            return "" if self._is_padding(each) or self._reshapes(each) else _called(each)
        if isinstance(each, ops.Mean):
            full = (each.requantization.least, each.requantization.most) == (-128, 127)
            whole_map = len(self.shapes[each.inputs[0]]) == 4 and sorted(axis % 4 for axis in each.axes) == [2, 3]
            return "" if full and whole_map else "a mean with bounds, or over other axes than height and width"
        if isinstance(each, ops.AveragePool):
            return "" if self._average_padding(each) is not None else "a mean of windows over the border"
        if isinstance(each, ops.MaxPool):
            return "" if _is_plain(each.pool) else "a maximum of dilated windows"
        return ""

    def _add(self, each: ops.IntegerOperator) -> None:
        match each:
            case ops.Convolution():
                self._convolution(each)
            case ops.FullyConnected():
                self._fully_connected(each)
            case ops.Addition():
                self._plain("ADD", each, schema.AddOptionsT(self._activation(each.output, each.requantization)))
            case ops.Product():
                self._plain("MUL", each, schema.MulOptionsT(self._activation(each.output, each.requantization)))
            case ops.Rescale():
                self._plain("QUANTIZE", each, schema.QuantizeOptionsT())
            case ops.Concatenation():
                axis = self._axis(each.axis, len(self.shapes[each.output]))
                options = schema.ConcatenationOptionsT(axis)
                self._plain("CONCATENATION", each, options)
            case ops.Mean():
                self._mean(each)
            case ops.AveragePool():
                self._average(each)
            case ops.MaxPool():
                self._max(each)
            case ops.GraphOperator():
                self._moved(each)
            case _:
                raise WrongUse(f"{_NAMED}{each.output} ({type(each).__name__}); {_INSTEAD}")

    def _plain(self, name: str, each: ops.IntegerOperator, options: Any, *constants: int) -> None:
        inputs = [*(self.made[source] for source in each.inputs), *constants]
        self.file.operator(name, inputs, self._output(each.output), options)

    def _output(self, name: str) -> int:
        called = "logits" if name == self.network.output else name
        self.made[name] = self.file.activation(self._shape(name), self.kept[name], called)
        return self.made[name]

    def _activation(self, output: str, bounds: Requantization) -> int:
        """The fused activation that cuts off at these bounds."""
        how = self.kept[output]
        if (bounds.least, bounds.most) == (how.least, how.most):
            return int(schema.ActivationFunctionType.NONE)
        if bounds.least == max(how.least, how.zero_point):
            if bounds.most == how.most:
                return int(schema.ActivationFunctionType.RELU)
            if bounds.most == min(how.most, how.zero_point + round(_SIX / how.scale)):
                return int(schema.ActivationFunctionType.RELU6)
        raise WrongUse(f"{output}: no activation of TensorFlow Lite cuts off at {bounds.least} and {bounds.most}")

    # operators with weights

    def _weighted(self, each: ops.WeightedOperator, weights: NDArray[np.int8], axis: int) -> tuple[int, int]:
        """Weights and biases. Scales of biases follow from those of input and weights, and are left away: they are 12
        bytes a channel that no kernel reads.
        """
        scales = (each.scales.numpy() / self.kept[each.inputs[0]].scale).astype(np.float32)
        if (scales == scales[0]).all():
            scales = scales[:1]
        return self.file.constant(weights, scales, axis), self.file.constant(each.bias.numpy())

    def _requantized(self, each: ops.WeightedOperator) -> int:
        assert each.requantization is not None  # operators that make floats were refused
        return self._activation(each.output, each.requantization)

    def _convolution(self, each: ops.Convolution) -> None:
        weights = each.weights.numpy()
        source, padding, more = self._padded(each, weights.shape[2:])
        weights = np.pad(weights, ((0, 0), (0, 0), (0, more[0]), (0, more[1])))
        height, width = self.shapes[each.output][2:]
        taps = weights.shape[2] * weights.shape[3] - each.weights.shape[2] * each.weights.shape[3]
        self.zero_weights += taps * weights.shape[0] * weights.shape[1]
        self.zero_macs += taps * weights.shape[0] * weights.shape[1] * height * width
        depthwise = each.groups > 1 and weights.shape[1] == 1
        laid_out = weights.transpose(1, 2, 3, 0) if depthwise else weights.transpose(0, 2, 3, 1)
        constants = self._weighted(each, laid_out, 3 if depthwise else 0)
        common = {"padding": padding, "strideH": each.stride[0], "strideW": each.stride[1]}
        common["fusedActivationFunction"] = self._requantized(each)
        if depthwise:
            multiplier = weights.shape[0] // each.groups
            options: Any = schema.DepthwiseConv2DOptionsT(**common, depthMultiplier=multiplier)
        else:
            options = schema.Conv2DOptionsT(**common)
        name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        self.file.operator(name, [source, *constants], self._output(each.output), options)

    def _padded(self, each: ops.Convolution, kernel: tuple[int, ...]) -> tuple[int, int, tuple[int, int]]:
        """The tensor that is read, how it is padded, and by how much the kernel grows."""
        source, more = each.inputs[0], (0, 0)
        given, made = self.shapes[source][2:], self.shapes[each.output][2:]
        if each.padding == (0, 0):
            return self.made[source], _VALID, more
        grown = [widened(*axis) for axis in zip(given, made, kernel, each.stride, each.padding, strict=True)]
        if None not in grown:
            return self.made[source], _SAME, (int(grown[0] or 0), int(grown[1] or 0))
        return self._pad(source, each.padding), _VALID, more

    def _pad(self, source: str, padding: tuple[int, int], value: int | None = None) -> int:
        """A padded copy, with what stands for 0.0 or with `value`."""
        _, channels, height, width = self.shapes[source]
        shape = (1, height + 2 * padding[0], width + 2 * padding[1], channels)
        how = self.kept[source]
        copied = self.file.activation(shape, how)
        pairs = self.file.constant(np.array([[0, 0], [padding[0]] * 2, [padding[1]] * 2, [0, 0]], np.int32))
        if value is None:
            self.file.operator("PAD", [self.made[source], pairs], copied, schema.PadOptionsT())
        else:
            scale = np.array([how.scale], np.float32)
            filling = self.file.constant(np.array([value], np.int8), scale, zero_point=how.zero_point)
            self.file.operator("PADV2", [self.made[source], pairs, filling], copied, schema.PadV2OptionsT())
        return copied

    def _fully_connected(self, each: ops.FullyConnected) -> None:
        weights = each.weights.numpy()
        if len(self.shapes[each.output]) > 2:
            options = schema.FullyConnectedOptionsT(self._requantized(each), keepNumDims=True)
            self._plain("FULLY_CONNECTED", each, options, *self._weighted(each, weights, 0))
            return
        constants = self._weighted(each, weights[:, None, None, :], 0)
        options = schema.Conv2DOptionsT(_VALID, 1, 1, self._requantized(each))
        self._plain("CONV_2D", each, options, *constants)

    # operators without weights

    def _mean(self, each: ops.Mean) -> None:
        rank = len(self.shapes[each.inputs[0]])
        axes = sorted(self._axis(axis, rank) for axis in each.axes)
        constant = self.file.constant(np.array(axes, np.int32))
        # a vector is a map of one pixel, so that the axes stay in any case
        self._plain("MEAN", each, schema.ReducerOptionsT(True), constant)

    def _axis(self, axis: int, rank: int) -> int:
        """Of a tensor in the file."""
        return _TO_NHWC[axis % rank] if rank in (2, 4) else axis % rank

    def _average_padding(self, each: ops.AveragePool) -> int | None:
        """VALID or SAME; None where neither takes the same windows."""
        given, made = self.shapes[each.inputs[0]][2:], self.shapes[each.output][2:]
        sides = list(zip(given, made, strict=True))
        if all(out == (side - each.kernel) // each.stride + 1 for side, out in sides):
            return int(_VALID)
        fits = all(
            out == -(-side // each.stride) and ((out - 1) * each.stride + each.kernel - side) // 2 == 0
            for side, out in sides
        )
        return int(_SAME) if fits else None

    def _average(self, each: ops.AveragePool) -> None:
        padding = self._average_padding(each)
        options = schema.Pool2DOptionsT(padding, each.stride, each.stride, each.kernel, each.kernel)
        bounds = Requantization(torch.zeros(0), torch.zeros(0), 0, each.least, each.most)
        options.fusedActivationFunction = self._activation(each.output, bounds)
        self._plain("AVERAGE_POOL_2D", each, options)

    def _max(self, each: ops.MaxPool) -> None:
        pool: Any = each.pool
        kernel, stride, border = _pair(pool.kernel_size), _pair(pool.stride), _pair(pool.padding)
        source = each.inputs[0]
        given, made = self.shapes[source][2:], self.shapes[each.output][2:]
        grown = [widened(*axis) for axis in zip(given, made, kernel, stride, border, strict=True)]
        read, padding = self.made[source], _VALID
        if border != (0, 0):
            fits = grown == [0, 0]  # zeros behind the kernel would not be left out of a maximum
            read, padding = (read, _SAME) if fits else (self._pad(source, border, self.kept[source].least), _VALID)
        options = schema.Pool2DOptionsT(padding, stride[1], stride[0], kernel[1], kernel[0])
        self.file.operator("MAX_POOL_2D", [read], self._output(each.output), options)

    def _is_padding(self, each: ops.GraphOperator) -> bool:
        return each.target is functional.pad and len(self.shapes[each.output]) == 4

    def _reshapes(self, each: ops.GraphOperator) -> bool:
        """Whether it only gives another shape, with elements in one order in either layout."""
        if _called(each) not in _RESHAPING:
            return False
        shapes = (self.shapes[each.inputs[0]], self.shapes[each.output])
        return all(len(shape) != 4 or shape[1] == 1 or shape[2:] == (1, 1) for shape in shapes)

    def _moved(self, each: ops.GraphOperator) -> None:
        if self._is_padding(each):
            given: Any = each.options["pad"]  # from the last axis on, as torch counts
            left, right, top, bottom, before, behind = [*given, 0, 0, 0, 0][:6]
            ends = np.array([[0, 0], [top, bottom], [left, right], [before, behind]], np.int32)
            self._plain("PAD", each, schema.PadOptionsT(), self.file.constant(ends))
            return
        if self._shape(each.output) == self._shape(each.inputs[0]):
            self.made[each.output] = self.made[each.inputs[0]]
            return
        shape = self._shape(each.output)
        self._plain("RESHAPE", each, schema.ReshapeOptionsT(list(shape)), self.file.constant(np.array(shape, np.int32)))


def widened(side: int, made: int, kernel: int, stride: int, padding: int) -> int | None:
    """Zeros to put behind a kernel so that SAME pads as the network does along one axis; None where no number does.

    SAME makes ceil(side / stride) outputs, and pads what they need beyond the side: half of it in front, the smaller
    half where it is odd.

    >>> widened(9, 5, 3, 2, 1), widened(96, 48, 3, 2, 1), widened(8, 8, 3, 1, 2), widened(8, 6, 3, 1, 0)
    (0, 1, 2, None)
    """
    if made != -(-side // stride):
        return None
    needed = max((made - 1) * stride + kernel - side, 0)
    if needed // 2 == padding:
        return 0
    more = 2 * padding - ((made - 1) * stride + kernel - side)
    return more if more > 0 else None


def _is_plain(pool: Any) -> bool:
    return isinstance(pool, nn.MaxPool2d) and _pair(pool.dilation) == (1, 1) and not pool.ceil_mode


def _called(each: ops.GraphOperator) -> str:
    if isinstance(each.target, str):
        return each.target
    return (
        "flatten"
        if isinstance(each.target, nn.Flatten)
        else getattr(each.target, "__name__", type(each.target).__name__)
    )


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
