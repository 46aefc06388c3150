"""TensorFlow Lite: .tflite files, channels last. Operators by the names of its schema."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from nas.core.foreign_graph import ForeignNode, ForeignTensor
from nas.importing.mapping import GraphMapper, damaged, elements, keeps_order, window
from nas.importing.operators import ForeignNetwork, Shape, Task
from nas.tflite_reading import read_graph

_BY_TASK = {
    Task.ADD: "ADD ADD_N SUB",
    Task.MULTIPLY: "ABS CAST CEIL COS DEQUANTIZE DIV ELU EXP FLOOR GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOG "
    "LOGISTIC LOG_SOFTMAX MAXIMUM MINIMUM MUL NEG POW PRELU QUANTIZE RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT "
    "SIN SOFTMAX SQRT SQUARE SQUARED_DIFFERENCE TANH",
    Task.CONCAT: "CONCATENATION PACK",
    Task.VIEW: "EXPAND_DIMS RESHAPE SQUEEZE",
    Task.PAD: "MIRROR_PAD PAD PADV2",
    Task.POOL: "ARG_MAX ARG_MIN MEAN REDUCE_MAX REDUCE_MIN SUM",
    Task.MOVE: "BATCH_TO_SPACE_ND BROADCAST_TO DEPTH_TO_SPACE GATHER RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR "
    "REVERSE_V2 SLICE SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V STRIDED_SLICE TILE UNPACK",
}


def read(path: Path) -> ForeignNetwork:
    """The operators of a .tflite file; `WrongUse` where it is damaged or holds something else than one network."""
    return _Mapper(read_graph(path)).network()


class _Mapper(GraphMapper):
    tasks: ClassVar[Mapping[str, Task]] = {name: task for task, names in _BY_TASK.items() for name in names.split()}
    constants = ("SHAPE", "RANK")

    def shape(self, tensor: ForeignTensor) -> Shape:
        """Of batch x height x width x channels, or batch x tokens x channels."""
        sides = tensor.shape
        if len(sides) == 4:
            return sides[3], sides[0] * sides[1], sides[2]
        return (sides[-1], tensor.elements // sides[-1], 1) if sides else (1, 1, 1)

    def conv(self, node: ForeignNode) -> None:
        """Weights are out x height x width x in, of a depthwise convolution 1 x height x width x out."""
        picture, weights = self.of(node.inputs[0]), self.of(node.inputs[1])
        if not weights.stored or len(weights.shape) != 4 or len(picture.shape) != 4:
            self.plain(node, Task.UNKNOWN)
            return
        depthwise = node.operator == "DEPTHWISE_CONV_2D"
        inside, outside = self.shape(picture), self.shape(self.of(node.outputs[0]))
        kernel = weights.shape[1:3]
        groups = inside[0] if depthwise else inside[0] // weights.shape[3]
        channels = (
            (weights.shape[3], weights.shape[0]) if depthwise else (weights.shape[0], inside[0] // max(groups, 1))
        )
        if channels != (outside[0], 1 if depthwise else weights.shape[3]) or not groups or outside[0] % groups:
            raise damaged(f"{node.operator} with weights {list(weights.shape)} from {inside} to {outside}")
        more = self._window(node, kernel, inside, outside)
        learned = self.learned(node, but=node.inputs[1:2])
        self.append(node, Task.CONV, node.outputs[0], inside, outside, groups=groups, learned=learned, **more)

    def pool(self, node: ForeignNode) -> None:
        """A window with a stride."""
        inside, outside = (self.shape(self.of(name)) for name in (node.inputs[0], node.outputs[0]))
        kernel = node.attributes["kernel"]
        if not isinstance(kernel, tuple):
            raise damaged(f"{node.operator} has no window")
        more = self._window(node, kernel, inside, outside)
        self.append(node, Task.POOL, node.outputs[0], inside, outside, **more)

    def _window(
        self, node: ForeignNode, kernel: tuple[int, ...], inside: Shape, outside: Shape
    ) -> dict[str, tuple[int, ...]]:
        """Kernel, stride and dilation, once they explain the output's size."""
        stride, dilation = node.attributes["stride"], node.attributes.get("dilation", (1, 1))
        if not isinstance(stride, tuple) or not isinstance(dilation, tuple) or min(*kernel, *stride, *dilation) < 1:
            raise damaged(f"{node.operator} has the window {kernel}, stride {stride}, dilation {dilation}")
        for side, made, k, step, gap in zip(inside[1:], outside[1:], kernel, stride, dilation, strict=True):
            same = node.attributes["padding"] == "SAME"
            expected = -(-side // step) if same else window(side, k, step, gap, 0)
            if expected != made:
                raise damaged(f"{node.operator} makes {made} of {side} pixels, its window gives {expected}")
        return {"kernel": kernel, "stride": stride, "dilation": dilation}

    def fully_connected(self, node: ForeignNode) -> None:
        """Weights are out x in."""
        weights = self.of(node.inputs[1])
        if len(weights.shape) != 2:
            raise damaged(f"FULLY_CONNECTED with weights of shape {list(weights.shape)}")
        outside, inside = weights.shape
        if weights.stored:
            self.linear(node, inside, outside, self.learned(node, but=node.inputs[1:2]))
        else:
            self.product(node, inside, outside)

    def matmul(self, node: ForeignNode) -> None:
        """Of the last two axes."""
        first, made = self.of(node.inputs[0]), self.of(node.outputs[0])
        if len(first.shape) < 2 or not made.shape:
            raise damaged(f"BATCH_MATMUL of a tensor of shape {list(first.shape)}")
        inside = first.shape[-2 if node.attributes["transpose_a"] else -1]
        second = self.of(node.inputs[1])
        is_linear = second.stored and second.elements == inside * made.shape[-1] and not first.stored
        if is_linear:
            self.linear(node, inside, made.shape[-1], 0)
        elif first.stored:
            self.plain(node, Task.UNKNOWN)
        else:
            self.product(node, inside, made.shape[-1], self.learned(node))

    def transpose(self, node: ForeignNode) -> None:
        """A view where no axis longer than 1 moves."""
        axes = self.of(node.inputs[1]).values or ()
        shape = self.of(node.inputs[0]).shape
        moves = sorted(axes) != list(range(len(shape))) or not keeps_order(shape, axes)
        self.plain(node, Task.MOVE if moves else Task.VIEW)

    def view(self, node: ForeignNode) -> None:
        """As many elements in another shape."""
        inside, outside = (self.shape(self.of(name)) for name in (node.inputs[0], node.outputs[0]))
        if elements(inside) != elements(outside):
            raise damaged(f"{node.operator} makes {elements(outside)} elements of {elements(inside)}")
        self.plain(node, Task.VIEW)

    rules: ClassVar[Mapping[str, Callable[..., None]]] = {
        "CONV_2D": conv,
        "DEPTHWISE_CONV_2D": conv,
        "AVERAGE_POOL_2D": pool,
        "MAX_POOL_2D": pool,
        "FULLY_CONNECTED": fully_connected,
        "BATCH_MATMUL": matmul,
        "TRANSPOSE": transpose,
        **dict.fromkeys(_BY_TASK[Task.VIEW].split(), view),
    }
