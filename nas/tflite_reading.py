"""The way in from TensorFlow Lite: a .tflite file as a graph, through the schema that tflite-micro carries.

Extra `tflite`. Nothing of a file is executed and no weight is copied: fields are read where they lie. A corrupt file
may hold any offset; what leads out of it, or to something else than the schema says, is told as damage.
"""

import importlib.util
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.core.foreign_graph import (
    LARGEST_SIDE,
    LARGEST_TENSOR,
    MOST_OPERATORS,
    MOST_TENSORS,
    Attribute,
    ForeignGraph,
    ForeignNode,
    ForeignTensor,
)
from search_spaces.core.errors import WrongUse

_PACKAGES = ("flatbuffers", "tflite_micro")
_IDENTIFIER = b"TFL3"
_VERSION = 3
_FEW = 64  # integers that are looked at: axes, paddings, shapes
_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "FLOAT64": 64, "INT2": 2, "INT4": 4, "UINT4": 4, "INT8": 8,
    "UINT8": 8, "INT16": 16, "UINT16": 16, "INT32": 32, "UINT32": 32, "INT64": 64, "UINT64": 64, "BOOL": 8,
}  # fmt: skip
_INTEGERS = {"INT32": "i", "INT64": "q"}
_DAMAGE = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, KeyError)
"""What reading at a wrong place raises."""

_PADDINGS = {0: "SAME", 1: "VALID"}


def read_graph(path: Path) -> ForeignGraph:
    """The network of a .tflite file; `WrongUse` where it is damaged, has several graphs or needs a package."""
    missing = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise WrongUse(f"a .tflite file needs the packages {', '.join(missing)}; type: pip install 'fitnas[tflite]'")
    content = path.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise WrongUse(f"{path} is no TensorFlow Lite file: bytes 4 to 8 are not {_IDENTIFIER.decode()}")
    try:
        return _Reader(content).graph()
    except _DAMAGE as error:
        raise WrongUse(f"{path} is damaged, or no TensorFlow Lite file: {type(error).__name__}: {error}") from None


class _Reader:
    def __init__(self, content: bytes) -> None:
        from tflite_micro.tensorflow.lite.micro.python import schema_py_generated

        self.schema: Any = schema_py_generated
        self.bytes = len(content)
        self.model = self.schema.Model.GetRootAs(content, 0)
        self.operator_names = _names(self.schema.BuiltinOperator)
        self.kinds = _names(self.schema.TensorType)

    def graph(self) -> ForeignGraph:
        model = self.model
        if model.Version() != _VERSION:
            raise WrongUse(f"a TensorFlow Lite file of version {model.Version()}; known is version {_VERSION}")
        if model.SubgraphsLength() != 1:
            raise WrongUse(
                f"the file has {model.SubgraphsLength()} graphs (several entries, or control flow); convert it with one"
            )
        graph = model.Subgraphs(0)
        for what, count, most in (
            ("tensors", graph.TensorsLength(), MOST_TENSORS),
            ("operators", graph.OperatorsLength(), MOST_OPERATORS),
        ):
            if not 0 < count <= most:
                raise WrongUse(f"the file says that it has {count:,} {what}; known are networks of 1 to {most:,}")
        tensors = {str(i): self._tensor(graph.Tensors(i)) for i in range(graph.TensorsLength())}
        nodes = tuple(self._node(graph.Operators(i), tensors) for i in range(graph.OperatorsLength()))
        ends = (_indices(graph.InputsAsNumpy(), tensors), _indices(graph.OutputsAsNumpy(), tensors))
        return ForeignGraph(tensors, nodes, *ends)

    def _tensor(self, tensor: Any) -> ForeignTensor:
        kind = self.kinds[tensor.Type()]
        shape = tuple(int(side) for side in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
        made = ForeignTensor(shape, kind.lower())
        if any(not 0 < side <= LARGEST_SIDE for side in shape) or made.elements > LARGEST_TENSOR:
            raise WrongUse(f"a tensor of shape {list(shape)[:8]}: sides are 1 to {LARGEST_SIDE:,}, of fixed size")
        if tensor.ExternalBuffer():
            raise WrongUse("the file keeps weights in another file (external buffers); convert it into one")
        buffer = self.model.Buffers(tensor.Buffer())
        stored, far = buffer.DataLength(), buffer.Offset() > 1
        if not (stored or far):
            return made
        self._check_size(made, buffer.Size() if far else stored)
        values = None
        if kind in _INTEGERS and stored and made.elements <= _FEW:
            data = buffer.DataAsNumpy().tobytes()
            values = struct.unpack(f"<{made.elements}{_INTEGERS[kind]}", data)
        return ForeignTensor(shape, made.kind, stored=True, values=values)

    def _check_size(self, tensor: ForeignTensor, stored: int) -> None:
        bits = _BITS.get(tensor.kind.upper())
        if stored > self.bytes or (bits is not None and stored * 8 < tensor.elements * bits):
            raise WrongUse(
                f"damaged: {stored:,} bytes are stored for a tensor of shape {list(tensor.shape)} and {tensor.kind}"
            )

    def _node(self, node: Any, tensors: dict[str, ForeignTensor]) -> ForeignNode:
        code = self.model.OperatorCodes(node.OpcodeIndex())
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self.operator_names[builtin]
        if name == "CUSTOM":
            name = f"CUSTOM {(code.CustomCode() or b'').decode('ascii', 'replace')}"
        inputs = _indices(node.InputsAsNumpy(), tensors, optional=True) if node.InputsLength() else ()
        return ForeignNode(name, inputs, _indices(node.OutputsAsNumpy(), tensors), self._attributes(name, node))

    def _attributes(self, name: str, node: Any) -> dict[str, Attribute]:
        if name not in _OPTIONS:
            return {}
        options_name, fields = _OPTIONS[name]
        if node.BuiltinOptionsType() != getattr(self.schema.BuiltinOptions, options_name):
            raise WrongUse(f"damaged: {name} has no {options_name}")
        table, options = node.BuiltinOptions(), getattr(self.schema, options_name)()
        options.Init(table.Bytes, table.Pos)
        return {key: read(options) for key, read in fields.items()}


_Fields = dict[str, Callable[[Any], Attribute]]
_STRIDES: _Fields = {
    "stride": lambda options: (options.StrideH(), options.StrideW()),
    "padding": lambda options: _PADDINGS[options.Padding()],
}
_DILATED: _Fields = {
    **_STRIDES,
    "dilation": lambda options: (options.DilationHFactor(), options.DilationWFactor()),
}
_WINDOW: _Fields = {**_STRIDES, "kernel": lambda options: (options.FilterHeight(), options.FilterWidth())}
_OPTIONS: dict[str, tuple[str, _Fields]] = {
    "CONV_2D": ("Conv2DOptions", _DILATED),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _DILATED),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _WINDOW),
    "MAX_POOL_2D": ("Pool2DOptions", _WINDOW),
    "BATCH_MATMUL": ("BatchMatMulOptions", {"transpose_a": lambda o: int(o.AdjX())}),
}


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _indices(values: Any, tensors: dict[str, ForeignTensor], optional: bool = False) -> tuple[str, ...]:
    """Names of tensors; '' for one that is left out."""
    names = tuple("" if optional and value == -1 else str(int(value)) for value in values)
    unknown = [name for name in names if name and name not in tensors]
    if unknown or len(names) > MOST_TENSORS:
        raise WrongUse(f"damaged: there is no tensor {unknown[0] if unknown else ''}")
    return names
