"""ONNX: .onnx files, channels before height and width. Operators by their names in its standard domain."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from nas.core.foreign_graph import ForeignNode, ForeignTensor
from nas.importing.mapping import GraphMapper, damaged, keeps_order
from nas.importing.operators import ForeignNetwork, Shape, Task
from nas.onnx_reading import read_graph

_BY_TASK = {
    Task.ADD: "Add Sub Sum",
    Task.MULTIPLY: "Abs And Cast Ceil Celu Clip Cos DequantizeLinear Div Elu Equal Erf Exp Floor Gelu Greater "
    "HardSigmoid HardSwish LeakyRelu Less Log LogSoftmax Max Min Mish Mod Mul Neg Not Or PRelu Pow QuantizeLinear "
    "Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Swish Tanh "
    "ThresholdedRelu Where",
    Task.CONCAT: "Concat",
    Task.VIEW: "Dropout Flatten Identity Reshape Squeeze Unsqueeze",
    Task.PAD: "Pad",
    Task.POOL: "ArgMax ArgMin GlobalAveragePool GlobalMaxPool ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin "
    "ReduceSum ReduceSumSquare",
    Task.MOVE: "DepthToSpace Expand Gather GatherElements GatherND Resize Slice SpaceToDepth Split Tile Upsample",
}
_NORMS = "GroupNormalization InstanceNormalization LayerNormalization RMSNormalization"


def read(path: Path) -> ForeignNetwork:
    """The operators of a .onnx file, for one picture; `WrongUse` where it is damaged or its sizes are open."""
    return _Mapper(read_graph(path)).network()


class _Mapper(GraphMapper):
    tasks: ClassVar[Mapping[str, Task]] = {name: task for task, names in _BY_TASK.items() for name in names.split()}
    constants = ("Constant", "ConstantOfShape", "Range", "Shape", "Size")

    def shape(self, tensor: ForeignTensor) -> Shape:
        """Of batch x channels x height x width, or batch x tokens x channels."""
        sides = tensor.shape
        if len(sides) == 4:
            return sides[1], sides[0] * sides[2], sides[3]
        return (sides[-1], tensor.elements // sides[-1], 1) if sides else (1, 1, 1)

    def _windowed(self, name: str) -> Shape | None:
        """Of batch x channels x length, or x height x width."""
        sides = self.of(name).shape
        return (sides[1], sides[0] * sides[2], 1 if len(sides) == 3 else sides[3]) if len(sides) in (3, 4) else None

    def conv(self, node: ForeignNode) -> None:
        """Weights are out x in/groups x height x width."""
        at = 3 if node.operator == "QLinearConv" else 1
        weights, inside, outside = (
            self.of(node.inputs[at]),
            self._windowed(node.inputs[0]),
            self._windowed(node.outputs[0]),
        )
        if not weights.stored or inside is None or outside is None or len(weights.shape) not in (3, 4):
            self.plain(node, Task.UNKNOWN)
            return
        given = node.attributes.get("group", 1)
        groups = given if isinstance(given, int) else 0
        fits = groups > 0 and weights.shape[:2] == (outside[0], inside[0] // groups)
        if not fits or inside[0] % groups or outside[0] % groups:
            raise damaged(f"{node.operator} with weights {list(weights.shape)} from {inside} to {outside}")
        bias = node.inputs[8:9] if at == 3 else node.inputs[2:3] if node.operator == "Conv" else ()
        learned = sum(self.counted(name) for name in bias if name)
        more = self._window(node, weights.shape[2:])
        self.append(node, Task.CONV, node.outputs[0], inside, outside, groups=groups, learned=learned, **more)

    def pool(self, node: ForeignNode) -> None:
        """A window with a stride."""
        inside, outside = (self._windowed(name) for name in (node.inputs[0], node.outputs[0]))
        kernel = node.attributes.get("kernel_shape", ())
        if inside is None or outside is None or not isinstance(kernel, tuple):
            self.plain(node, Task.UNKNOWN)
            return
        self.append(node, Task.POOL, node.outputs[0], inside, outside, **self._window(node, kernel))

    def _window(self, node: ForeignNode, kernel: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Kernel, stride and dilation, each as (height, width)."""
        sides: dict[str, tuple[int, ...]] = {"kernel": kernel}
        for name, key in (("strides", "stride"), ("dilations", "dilation")):
            given = node.attributes.get(name, ())
            sides[key] = given if isinstance(given, tuple) and given else (1,) * len(kernel)
        if any(len(each) != len(kernel) or min(each, default=0) < 1 for each in sides.values()):
            raise damaged(f"{node.operator} has the window {sides}")
        return {key: (*each, 1)[:2] for key, each in sides.items()}

    def gemm(self, node: ForeignNode) -> None:
        """A linear map of the first input; the second is in x out, or transposed."""
        second, made = self.of(node.inputs[1]), self.of(node.outputs[0])
        if len(second.shape) != 2 or node.attributes.get("transA") or not self.computed(node):
            self.plain(node, Task.UNKNOWN)
            return
        inside = second.elements // made.shape[-1]
        if not second.stored:
            self.product(node, inside, made.shape[-1])
        else:
            self.linear(node, inside, made.shape[-1], self.learned(node, but=node.inputs[1:2]))

    def matmul(self, node: ForeignNode) -> None:
        """Of the last two axes; a linear map where the second is stored, alike for all of a batch."""
        at = (0, 3) if node.operator == "QLinearMatMul" else (0, 1)
        first, second = (self.of(node.inputs[each]) for each in at)
        made = self.of(node.outputs[0])
        if first.stored or len(second.shape) < 2 or not first.shape or not made.shape:
            self.plain(node, Task.UNKNOWN)
        elif second.stored and second.elements == first.shape[-1] * made.shape[-1]:
            self.linear(node, first.shape[-1], made.shape[-1], 0)
        else:
            learned = self.counted(node.inputs[at[1]]) if second.stored else 0
            self.product(node, first.shape[-1], made.shape[-1], learned)

    def batch_norm(self, node: ForeignNode) -> None:
        """Of running statistics: a scale and a shift a channel."""
        self.plain(node, Task.MULTIPLY, learned=2 * self.counted(node.inputs[1]))

    def norm(self, node: ForeignNode) -> None:
        """Of statistics of its own input: of the last axis, or of each channel."""
        made = self.of(node.outputs[0])
        learned = self.learned(node)
        is_last = node.operator in ("LayerNormalization", "RMSNormalization")
        shape = (made.shape[-1], made.elements // made.shape[-1], 1) if is_last and made.shape else self.shape(made)
        self.append(node, Task.NORM, node.outputs[0], shape, shape, learned=learned)

    def transpose(self, node: ForeignNode) -> None:
        """A view where no axis longer than 1 moves."""
        shape = self.of(node.inputs[0]).shape
        axes = node.attributes.get("perm", tuple(range(len(shape)))[::-1])
        is_view = isinstance(axes, tuple) and keeps_order(shape, axes)
        self.plain(node, Task.VIEW if is_view else Task.MOVE)

    rules: ClassVar[Mapping[str, Callable[..., None]]] = {
        **dict.fromkeys(("Conv", "QLinearConv", "ConvInteger"), conv),
        **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), pool),
        "Gemm": gemm,
        **dict.fromkeys(("MatMul", "QLinearMatMul", "MatMulInteger"), matmul),
        "BatchNormalization": batch_norm,
        **dict.fromkeys(_NORMS.split(), norm),
        "Transpose": transpose,
    }
