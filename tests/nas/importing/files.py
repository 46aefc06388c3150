"""Small networks as files for the readers of foreign formats."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")


def write_onnx(
    path: Path, nodes: Sequence[Any], weights: dict[str, tuple[int, ...]], size: Sequence[Any], **more: Any
) -> Path:
    """A file of these nodes; weights by shape, `shapes` for small stored integers by values; the last node answers."""
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    stored = [onnx.numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in weights.items()]
    integers = more.get("integers", {})
    stored += [onnx.numpy_helper.from_array(np.array(each, np.int64), name) for name, each in integers.items()]
    answers = more.get("answers", [nodes[-1].output[0]])
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("picture", float32, list(size))],
        [helper.make_tensor_value_info(name, float32, None) for name in answers],
        stored,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.example", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    return path


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    """`inputs` with spaces between; `domain` may be given."""
    return onnx.helper.make_node(operator, inputs.split(), [output], **attributes)


def two_convolutions(path: Path, first: Any = "batch") -> Path:
    """A 3x3 of stride 2 with a border, batch norm and ReLU6, a depthwise 3x3, a mean and a linear classifier."""
    nodes = [
        node("Conv", "picture w1", "a", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "a g1 b1 m1 v1", "b"),
        node("Relu", "b", "c"),
        node("Conv", "c w2 bias2", "d", pads=[1, 1, 1, 1], group=8),
        node("GlobalAveragePool", "d", "e"),
        node("Flatten", "e", "f"),
        node("Gemm", "f w3 bias3", "g", transB=1),
        node("Softmax", "g", "h"),
    ]
    weights = {"w1": (8, 3, 3, 3), "w2": (8, 1, 3, 3), "bias2": (8,), "w3": (5, 8), "bias3": (5,)}
    weights |= dict.fromkeys(("g1", "b1", "m1", "v1"), (8,))
    return write_onnx(path, nodes, weights, [first, 3, 16, 16])
