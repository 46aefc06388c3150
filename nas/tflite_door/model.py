"""A .tflite file tensor by tensor, through the schema that tflite-micro carries; no TensorFlow.

The same calls give the same bytes. Constants lie at multiples of 16 bytes, as the schema asks and as chips without
unaligned reads need.
"""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from nas.quantization.affine import Affine

_IDENTIFIER = b"TFL3"
_FORMAT_VERSION = 3
_ALIGNMENT = 16
_PLACEHOLDER_CODE = 127  # of builtin operators too high for the old field
_VERSIONS = {
    "ADD": 2, "AVERAGE_POOL_2D": 2, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4,
    "MAX_POOL_2D": 2, "MEAN": 2, "MUL": 2, "PAD": 2, "PADV2": 2, "QUANTIZE": 2, "RESHAPE": 1,
}  # fmt: skip
"""Of the operator in the schema, the first that has int8."""

_TYPES = {np.dtype(np.int8): schema.TensorType.INT8, np.dtype(np.int32): schema.TensorType.INT32}

Scales = NDArray[np.float32]


class ModelFile:
    """Gathers tensors and operators, and writes them."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.buffers: list[Any] = [_Buffer()]  # the first is that of tensors without constants
        self.codes: dict[str, int] = {}
        self.zero_points: dict[tuple[int, int], int] = {}

    def activation(self, shape: Sequence[int], how: Affine, name: str = "") -> int:
        """An int8 tensor that the runtime computes."""
        quantization = self._quantization(np.array([how.scale]), how.zero_point, 0)
        return self._add(shape, schema.TensorType.INT8, 0, quantization, name)

    def constant(self, values: NDArray[Any], scales: Scales | None = None, axis: int = 0, zero_point: int = 0) -> int:
        """An int8 or int32 tensor whose values are in the file; `scales` `(channels,)` are along `axis`."""
        self.buffers.append(_Buffer(np.ascontiguousarray(values).tobytes()))
        quantization = None if scales is None else self._quantization(scales, zero_point, axis)
        return self._add(values.shape, _TYPES[values.dtype], len(self.buffers) - 1, quantization)

    def operator(self, name: str, inputs: Sequence[int], output: int, options: Any = None) -> None:
        """Appends an operator, to be executed behind the ones before."""
        made = schema.OperatorT()
        made.opcodeIndex = self.codes.setdefault(name, len(self.codes))
        made.inputs, made.outputs = list(inputs), [output]
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(made)

    def content(self, given: int, output: int) -> bytes:
        """The file, with one input and one output."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs, graph.name = [given], [output], "main"
        model = schema.ModelT()
        model.version, model.description = _FORMAT_VERSION, "FitNAS"
        model.operatorCodes = [_code(name) for name in self.codes]
        model.subgraphs, model.buffers = [graph], self.buffers
        self.zero_points.clear()  # offsets of another builder
        builder = flatbuffers.Builder(sum(len(each.content) for each in self.buffers) + (1 << 16))
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())

    def _quantization(self, scales: NDArray[Any], zero_point: int, axis: int) -> Any:
        return _Quantization(scales, zero_point, axis, self.zero_points)

    def _add(self, shape: Sequence[int], kind: int, buffer: int, quantization: Any, name: str = "") -> int:
        made = schema.TensorT()
        made.shape, made.type, made.buffer = [int(side) for side in shape], kind, buffer
        made.quantization, made.name = quantization, name or None
        self.tensors.append(made)
        return len(self.tensors) - 1


class _Buffer(schema.BufferT):  # type: ignore[misc]  # the schema has no types
    """Bytes at a multiple of 16: the generated code forgets the alignment that the schema states."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__()
        self.content = content

    def Pack(self, builder: Any) -> Any:  # noqa: N802  (its name)
        """Writes the bytes, then the table that points to them."""
        data = None
        if self.content:
            builder.StartVector(1, len(self.content), _ALIGNMENT)
            builder.head = builder.Head() - len(self.content)
            builder.Bytes[builder.Head() : builder.Head() + len(self.content)] = self.content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


class _Quantization(schema.QuantizationParametersT):  # type: ignore[misc]  # the schema has no types
    """Scales along an axis, and one zero point for all.

    The format asks for as many zero points as scales, 8 bytes each: those of equal number and value are written once.
    """

    def __init__(self, scales: Scales, zero_point: int, axis: int, written: dict[tuple[int, int], int]) -> None:
        super().__init__()
        self.scales, self.axis, self.written = scales.astype(np.float32), axis, written
        self.zero_points = np.full(len(scales), zero_point, np.int64)

    def Pack(self, builder: Any) -> Any:  # noqa: N802  (its name)
        """Writes the vectors, then the table that points to them."""
        key = (len(self.zero_points), int(self.zero_points[0]))
        if key not in self.written:
            self.written[key] = builder.CreateNumpyVector(self.zero_points)
        scales = builder.CreateNumpyVector(self.scales)
        schema.QuantizationParametersStart(builder)
        schema.QuantizationParametersAddScale(builder, scales)
        schema.QuantizationParametersAddZeroPoint(builder, self.written[key])
        schema.QuantizationParametersAddQuantizedDimension(builder, self.axis)
        return schema.QuantizationParametersEnd(builder)


def _code(name: str) -> Any:
    number = getattr(schema.BuiltinOperator, name)
    made = schema.OperatorCodeT()
    made.builtinCode, made.version = number, _VERSIONS[name]
    made.deprecatedBuiltinCode = min(number, _PLACEHOLDER_CODE)
    return made
