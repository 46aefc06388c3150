"""The way in from ONNX: a .onnx file as a graph with the shape of every tensor. Extra `onnx`; loads no torch.

Shapes are worked out anew by onnx for one picture, whatever the file says of them. No weight is looked at.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

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

_MOST_ROUNDS = 8
_SHAPE_ARITHMETIC = {
    "Add", "Cast", "Ceil", "Concat", "Constant", "Div", "Equal", "Floor", "Gather", "Identity", "Max", "Min", "Mod",
    "Mul", "Neg", "ReduceProd", "Reshape", "Shape", "Slice", "Squeeze", "Sub", "Unsqueeze", "Where",
}  # fmt: skip
_FEW = 1024  # stored numbers that shapes may be computed from; larger tensors are weights


def read_graph(path: Path) -> ForeignGraph:
    """The network of a .onnx file for one picture.

    `WrongUse` where it is damaged, keeps weights in other files, leaves the size of pictures open or needs a package.
    """
    if importlib.util.find_spec("onnx") is None:
        raise WrongUse("a .onnx file needs the package onnx; type: pip install 'fitnas[onnx]'")
    model = _parsed(path)
    graph = model.graph
    if not 0 < len(graph.node) <= MOST_OPERATORS or len(graph.initializer) > MOST_TENSORS:
        raise WrongUse(f"{path} has {len(graph.node):,} operators; known are networks of 1 to {MOST_OPERATORS:,}")
    stored = _take_weights(graph)
    inputs = [each.name for each in graph.input if each.name not in stored]
    _for_one_picture(graph, inputs)
    shapes = _inferred(path, model)
    for _ in range(_MOST_ROUNDS):
        made = {name for node in graph.node for name in node.output if name}
        if made <= shapes.keys() or not _evaluate(model, shapes):
            break
        shapes = _inferred(path, model)
    tensors = shapes | stored | {each.name: _stored(each) for each in graph.initializer}
    nodes = tuple(_node(node) for node in graph.node)
    return ForeignGraph(tensors, nodes, tuple(inputs), tuple(each.name for each in graph.output))


def _parsed(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import inliner

    try:
        model = onnx.load_model_from_string(path.read_bytes())
        if model.functions:
            model = inliner.inline_local_functions(model)
    except (DecodeError, RuntimeError, ValueError, TypeError) as error:
        raise WrongUse(f"{path} is damaged, or no ONNX file: {error}") from None
    broken = [name for name in _names(model.graph) if isinstance(name, bytes)]  # what is no UTF-8 comes as it is
    if broken:
        raise WrongUse(f"{path} is damaged: the name {broken[0][:60]!r} is no text")
    return model


def _names(graph: Any) -> Iterator[Any]:
    """Of operators, their kinds and all tensors."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
    for each in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        yield each.name


def _take_weights(graph: Any) -> dict[str, ForeignTensor]:
    """The stored tensors; those that are no shapes become inputs of the graph, so that no weight is copied again."""
    import onnx

    stored, small = {}, []
    for each in graph.initializer:
        stored[each.name] = _stored(each)
        if stored[each.name].elements <= _FEW:
            small.append(each)
        else:
            graph.input.append(onnx.helper.make_tensor_value_info(each.name, each.data_type, list(each.dims)))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _stored(attribute.t)
    known = {each.name for each in small}
    kept = [each for each in graph.input if each.name not in known]
    del graph.initializer[:]
    graph.initializer.extend(small)
    del graph.input[:]
    graph.input.extend(kept)
    return stored


def _stored(tensor: Any) -> ForeignTensor:
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise WrongUse("the network keeps weights in another file (external data); save it as one file")
    try:
        kind = onnx.helper.tensor_dtype_to_string(tensor.data_type).rpartition(".")[2].lower()
    except KeyError:
        raise WrongUse(f"the file is damaged: a tensor has the kind {tensor.data_type}, which ONNX lacks") from None
    made = ForeignTensor(tuple(int(side) for side in tensor.dims), "float32" if kind == "float" else kind, stored=True)
    _check(tensor.name, made)
    if tensor.raw_data and made.kind == "float32" and len(tensor.raw_data) != 4 * made.elements:
        raise WrongUse(f"the file is damaged: {len(tensor.raw_data):,} bytes of a tensor of {made.elements:,} floats")
    return made


def _check(name: str, tensor: ForeignTensor) -> None:
    if any(not 0 <= side <= LARGEST_SIDE for side in tensor.shape) or prod(tensor.shape) > LARGEST_TENSOR:
        raise WrongUse(f"tensor {name[:60]!r} has the shape {list(tensor.shape)[:8]}; sides are 1 to {LARGEST_SIDE:,}")


def _for_one_picture(graph: Any, inputs: Iterable[str]) -> None:
    for each in graph.input:
        sides = each.type.tensor_type.shape.dim
        if each.name in inputs and sides and not sides[0].dim_value:
            sides[0].dim_value = 1
        if each.name in inputs and any(side.dim_value < 1 for side in sides):
            told = [side.dim_value or side.dim_param or "?" for side in sides]
            raise WrongUse(f"the input {each.name[:60]!r} has the open size {told}; export it for pictures of one size")
    # what the file says of shapes is of any number of pictures
    del graph.value_info[:]
    for each in graph.output:
        each.type.tensor_type.ClearField("shape")


def _evaluate(model: Any, shapes: dict[str, ForeignTensor]) -> bool:
    """Puts values in place of nodes that compute shapes; whether there were any.

    Only arithmetic of a few numbers is done, by onnx's own reference in Python.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    graph = model.graph
    opsets = {each.domain: each.version for each in model.opset_import}
    known = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    left = []
    for node in graph.node:
        values = [known.get(name) for name in node.input if name]
        if node.op_type == "Shape" and node.input[0] in shapes and shapes[node.input[0]].shape:
            values = [np.empty(shapes[node.input[0]].shape, dtype=np.bool_)]
        if node.op_type not in _SHAPE_ARITHMETIC or node.domain or any(value is None for value in values):
            left.append(node)
            continue
        try:
            given = dict(zip(filter(None, node.input), values, strict=True))
            [answer] = ReferenceEvaluator(node, opsets=opsets).run(None, given)
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError, ArithmeticError, AttributeError) as error:
            raise WrongUse(f"the file is damaged: {node.op_type} of stored numbers fails: {error}") from None
        answer = np.asarray(answer)
        if answer.size > _FEW:
            left.append(node)
            continue
        known[node.output[0]] = answer
        graph.initializer.append(onnx.numpy_helper.from_array(answer, node.output[0]))
    found = len(left) < len(graph.node)
    del graph.node[:]
    graph.node.extend(left)
    return found


def _inferred(path: Path, model: Any) -> dict[str, ForeignTensor]:
    """Every computed tensor whose shape is known before the network runs."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (RuntimeError, ValueError, TypeError, onnx.shape_inference.InferenceError) as error:
        raise WrongUse(f"{path} is damaged: {str(error)[:200]}") from None
    result = {}
    for each in (*graph.input, *graph.value_info, *graph.output):
        kind = each.type.tensor_type
        sides = [side.dim_value if side.HasField("dim_value") else -1 for side in kind.shape.dim]
        if kind.HasField("shape") and min(sides, default=1) > 0:
            result[each.name] = ForeignTensor(tuple(sides), str(kind.elem_type))
            _check(each.name, result[each.name])
    return result


def _node(node: Any) -> ForeignNode:
    """Attributes of numbers and texts; an operator of another domain is named with it."""
    attributes: dict[str, Attribute] = {}
    for each in node.attribute:
        if each.type == each.INT:
            attributes[each.name] = int(each.i)
        elif each.type == each.INTS:
            attributes[each.name] = tuple(map(int, each.ints))
        elif each.type == each.STRING:
            attributes[each.name] = each.s.decode("utf-8", "replace")
    domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
    return ForeignNode(f"{domain}{node.op_type}", tuple(node.input), tuple(node.output), attributes, node.name)
