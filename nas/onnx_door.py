"""The one door to ONNX: networks as ONNX files, and onnxruntime to run them. Extra `onnx`.

A network that is shipped takes any number of pictures: torch's exporter on top of torch.export converts it, in ten
seconds to a minute. A network that is only timed has a fixed batch: torch's older exporter converts it ten times
faster, but would freeze the batch of every network with a class token. onnxruntime runs both files equally fast: of ten
networks of five spaces no pair differed by more than repeats of one file.
"""

import importlib.util
import io
import logging
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.onnx import symbolic_helper

from search_spaces.core.errors import FitnasError, WrongUse

if TYPE_CHECKING:
    import onnxruntime

FILE_NAME = "model.onnx"
INPUT, OUTPUT = "pictures", "logits"
TOLERANCE = 1e-4  # of the largest logit, or of 1: the kernels add in another order
_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_PROBES = (1, 3)  # pictures at once
_FIXED_OPSET = 17  # of 2022, so that the converters of boards know its operators
_INT4_OPSET = 21  # the first that stores integers of 4 bits
_FOLDED = 64  # numbers: shapes and axes are, weights are not
_LAST_FIXED_OPSET = 20  # of the older exporter; nothing that it writes means something else in 21
WIDTHS = ("fp32", "int8", "w8", "w4")
"""Of operators that onnxruntime executes: floats, bytes by bytes, and floats by weights kept in 8 or 4 bits."""

EXACT_PRODUCTS = "session.x64quantprecision"
"""Option of a session, "1" for right sums: processors without 8-bit dot products (AVX2 without VNNI) else cut off sums
of two products at 16 bits, and an int8 network's answers are wrong."""

INTEGERS, FOUR_BITS = "integers", "integers_of_4_bits"
"""Names of buffers of a network for `quantized_onnx_file`."""


def require(who: str) -> None:
    """`WrongUse` where a package is missing; `who` needs it, such as `--to onnx`."""
    missing = [package for package in _PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise WrongUse(f"{who} needs the packages {', '.join(missing)}; type: pip install 'fitnas[onnx]'")


def onnx_file(network: nn.Module, size: tuple[int, int, int]) -> bytes:
    """The content of a .onnx file that holds a network in eval mode, float32, for pictures `(n, *size)` of any n.

    Nothing of the machine that wrote it is in it: the exporter's notes name source files.
    """
    return _content(_exported(network, size).model_proto)


def _exported(network: nn.Module, size: tuple[int, int, int], **more: Any) -> Any:
    require("ONNX")
    example = (torch.zeros(2, *size),)
    names: dict[str, Any] = {"input_names": [INPUT], "output_names": [OUTPUT], **more}
    with _quiet(), torch.no_grad():
        # by itself the exporter would rather freeze the batch than fail
        traced = torch.export.export(network, example, dynamic_shapes=({0: torch.export.Dim("batch")},))
        program = torch.onnx.export(traced, dynamo=True, verbose=False, **names)
    if program is None:
        raise FitnasError("torch's ONNX exporter gave no network; install torch 2.13")
    return program


def quantized_onnx_file(network: nn.Module, size: tuple[int, int, int]) -> bytes:
    """The same of a network as `nas.quantization.qdq.qdq_network` gives it: integers stay integers in the file.

    What is computed from learned values alone, such as biases of pairs looked up from biases of distances, is left to
    the runtime: the file holds what was learnt.
    """
    program = _exported(network, size, opset_version=_INT4_OPSET, optimize=False)
    from onnxscript import optimizer

    with _quiet():
        optimizer.optimize_ir(program.model, input_size_limit=_FOLDED, output_size_limit=_FOLDED)
    return _content(_packed(program.model_proto))


def fixed_onnx_file(network: nn.Module, size: tuple[int, int, int], batch: int) -> bytes:
    """The same for exactly `batch` pictures, ten times faster: to time a network, or to run it on a board."""
    return _content(_fixed(network, size, batch, _FIXED_OPSET))


def fixed_quantized_onnx_file(network: nn.Module, size: tuple[int, int, int], batch: int) -> bytes:
    """The same of a network as `nas.quantization.qdq.qdq_network` gives it."""
    if not any(name.endswith(FOUR_BITS) for name, _ in network.named_buffers()):
        return _content(_packed(_fixed(network, size, batch, _FIXED_OPSET)))
    model = _fixed(network, size, batch, _LAST_FIXED_OPSET)
    model.opset_import[0].version = _INT4_OPSET
    return _content(_packed(model))


def _fixed(network: nn.Module, size: tuple[int, int, int], batch: int, opset: int) -> Any:
    require("ONNX")
    import onnx

    file: Any = io.BytesIO()
    names: dict[str, Any] = {"input_names": [INPUT], "output_names": [OUTPUT], "opset_version": opset}
    with _quiet(), _integers_known(opset), torch.no_grad():
        torch.onnx.export(network, (torch.zeros(batch, *size),), file, dynamo=False, **names)
    return onnx.load_model_from_string(file.getvalue())


@contextmanager
def _integers_known(opset: int) -> Iterator[None]:
    """Teaches the older exporter what the newer one knows: what quantizes and dequantizes."""
    symbolics: dict[str, Any] = {
        "quantize_per_tensor": _quantize,
        "dequantize_per_tensor": _dequantize,
        "dequantize_per_channel": _dequantize_channels,
    }
    exporter: Any = torch.onnx
    for name, symbolic in symbolics.items():
        exporter.register_custom_op_symbolic(f"quantized_decomposed::{name}", symbolic, opset)
    try:
        yield
    finally:
        for name in symbolics:
            exporter.unregister_custom_op_symbolic(f"quantized_decomposed::{name}", opset)


_KIND_OF_MOST = {255: torch.uint8, 127: torch.int8, (1 << 31) - 1: torch.int32}


@symbolic_helper.parse_args("v", "f", "i", "i", "i", "i")
def _quantize(g: Any, x: Any, scale: float, zero_point: int, least: int, most: int, kind: int) -> Any:
    return g.op("QuantizeLinear", x, *_parameters(g, scale, zero_point, most))


@symbolic_helper.parse_args("v", "f", "i", "i", "i", "i", "none")
def _dequantize(
    g: Any, x: Any, scale: float, zero_point: int, least: int, most: int, kind: int, out: None = None
) -> Any:
    return g.op("DequantizeLinear", x, *_parameters(g, scale, zero_point, most))


@symbolic_helper.parse_args("v", "v", "v", "i", "i", "i", "i", "none")
def _dequantize_channels(
    g: Any, x: Any, scales: Any, zero_points: Any, axis: int, least: int, most: int, kind: int, out: None = None
) -> Any:
    return g.op("DequantizeLinear", x, scales, axis_i=axis)


def _parameters(g: Any, scale: float, zero_point: int, most: int) -> tuple[Any, Any]:
    values = torch.tensor(scale, dtype=torch.float32), torch.tensor(zero_point, dtype=_KIND_OF_MOST[most])
    made = [g.op("Constant", value_t=value) for value in values]
    return made[0], made[1]


def _packed(model: Any) -> Any:
    """Stored integers of 4 bits two to a byte; zero points of weights one by one, of all else that is stored none.

    onnxruntime's conversion of weights for processors without 8-bit dot products fails where two share zero points.
    """
    import onnx

    graph = model.graph
    stored = {each.name: each for each in graph.initializer if each.name.endswith((INTEGERS, FOUR_BITS))}
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in stored:
            continue
        name = node.input[0]
        weights = stored[name]
        del node.input[2:]
        if name.endswith(FOUR_BITS):
            values = onnx.numpy_helper.to_array(weights).ravel().tolist()
            weights.CopyFrom(onnx.helper.make_tensor(name, onnx.TensorProto.INT4, weights.dims, values))
        elif weights.data_type == onnx.TensorProto.INT8:
            shape = next((each.dims for each in graph.initializer if each.name == node.input[1]), ())
            zeros = onnx.helper.make_tensor(f"{name}.zero_points", onnx.TensorProto.INT8, shape, [0] * math.prod(shape))
            graph.initializer.append(zeros)
            node.input.append(zeros.name)
    _drop_unread(graph)
    return model


def _drop_unread(graph: Any) -> None:
    read = {name for node in graph.node for name in node.input}
    for each in [each for each in graph.initializer if each.name not in read]:
        graph.initializer.remove(each)
    known = {each.name for each in graph.initializer}
    for each in [each for each in graph.value_info if each.name in known or each.name not in _made(graph)]:
        graph.value_info.remove(each)


def _made(graph: Any) -> set[str]:
    return {name for node in graph.node for name in node.output}


def _content(model: Any) -> bytes:
    import onnx

    _forget_where_it_was_made(model)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def check_widths(names: Iterable[str]) -> None:
    """`WrongUse` where onnxruntime does not execute a width; names are those of `search_spaces.core.policy.width`."""
    lacking = sorted(set(names) - set(WIDTHS))
    if lacking:
        raise WrongUse(
            f"onnxruntime does not execute operators of width {', '.join(lacking)}; it has {', '.join(WIDTHS)}: export "
            "another network, or make a policy of these with nas quantize"
        )


def weight_bytes(content: bytes, computed: Iterable[str] = ()) -> int:
    """Bytes that a file of `quantized_onnx_file` stores of what was learnt: weights as packed, their scales, biases,
    and any other learned value.

    Not: zero points, which are 0; scales of activations and of biases, which are products of others; shapes; single
    numbers; the buffers named `computed`.
    """
    require("ONNX")
    import onnx

    graph = onnx.load_model_from_string(content).graph
    stored = {each.name: each for each in graph.initializer}
    stored |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
    left_away, scales = set(computed), set()
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            of = stored.get(node.input[0])
            is_weight = of is not None and of.data_type != onnx.TensorProto.INT32
            scales |= {node.input[1]} if is_weight else set()
            left_away |= set(node.input[1 + is_weight :])
    bits = {onnx.TensorProto.FLOAT: 32, onnx.TensorProto.INT32: 32, onnx.TensorProto.INT8: 8, onnx.TensorProto.INT4: 4}
    return sum(
        -(-math.prod(each.dims) * bits[each.data_type] // 8)
        for name, each in stored.items()
        if each.data_type in bits and name not in left_away and (each.dims or name in scales)
    )


def session(content: bytes | Path, threads: int = 1) -> "onnxruntime.InferenceSession":
    """What runs a file's content, or a file, on the CPU; `FitnasError` where it is damaged."""
    require("ONNX")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry(EXACT_PRODUCTS, "1")
    given = str(content) if isinstance(content, Path) else content
    try:
        return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime has an exception of its own for each status, with no common base
        if type(error).__module__.startswith("onnxruntime"):
            raise FitnasError(f"onnxruntime cannot load the network: {error}") from None
        raise


def runner(content: bytes | Path, pictures: Tensor, threads: int) -> Callable[[], object]:
    """What runs a network on a batch once, for who times it."""
    loaded, given = session(content, threads), {INPUT: pictures.numpy()}
    return lambda: loaded.run([OUTPUT], given)


class OnnxNetwork(nn.Module):
    """A .onnx file as a network: pictures `(n, channels, height, width)` in, logits out, computed by onnxruntime."""

    def __init__(self, content: bytes | Path) -> None:
        super().__init__()
        self._session = session(content)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits `(n, classes)`."""
        [logits] = self._session.run([OUTPUT], {INPUT: pictures.numpy()})
        return torch.from_numpy(logits)


def check(content: bytes | Path, network: nn.Module, size: tuple[int, int, int]) -> float:
    """The largest difference between the logits of a file and of `network`; `FitnasError` beyond `TOLERANCE`."""
    loaded, worst = OnnxNetwork(content), 0.0
    for seed, count in enumerate(_PROBES):
        probe = torch.randn(count, *size, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            expected = network(probe)
        difference = float((loaded(probe) - expected).abs().max())
        allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
        if not difference <= allowed:
            raise FitnasError(f"the ONNX network's logits differ by {difference:.2g}, more than {allowed:.2g}")
        worst = max(worst, difference)
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own parts and of operators of packages that no network here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _forget_where_it_was_made(model: Any) -> None:
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        del part.metadata_props[:]
        part.doc_string = ""
