"""Integers in ONNX files: what onnxruntime makes of them, what they weigh, and what it does not execute."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from nas.onnx_door import (
    EXACT_PRODUCTS,
    WIDTHS,
    OnnxNetwork,
    check_widths,
    fixed_quantized_onnx_file,
    quantized_onnx_file,
    weight_bytes,
)
from nas.quantization.integer import IntegerNetwork
from nas.quantization.qdq import qdq_network
from nas.quantization.quantized import Quantized, quantize
from nas.training.recalibrate import recalibrate
from predictors.hardware.counts import counts, products_by_slot
from search_spaces.core.errors import WrongUse
from search_spaces.core.policy import QuantizationPolicy, quantizable_names, width
from search_spaces.core.registry import space_class
from tests.contracts.conftest import FACTS
from tests.nas.quantization.test_integer import small, under

SPACES = ("mcunetv2", "tinynet", "cct", "vit", "tinyvit")
SIZE = (2, 9, 9)


def network_of(name: str) -> tuple[nn.Module, Any, Tensor]:
    """The smallest network of a space, no two of its values alike, its table, and pictures."""
    space = space_class(name).configured({}, FACTS["digits"])
    architecture = space.extremes()[0]
    torch.manual_seed(0)
    network, pictures = space.build(architecture), torch.randn(8, *space.input_size(architecture))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    recalibrate(network, [pictures])
    return network.eval(), space.decode(space.population([architecture])), pictures


def stored_and_priced(name: str, seed: int) -> tuple[int, int]:
    network, table, pictures = network_of(name)
    names, rng = quantizable_names(table), np.random.default_rng(seed)
    widths = {each: width(str(rng.choice(WIDTHS))) for each in names}
    policy = QuantizationPolicy(widths, granularity="tensor" if seed == 0 else "channel")
    quantized = quantize(network, names, policy, [pictures])
    content = fixed_quantized_onnx_file(qdq_network(quantized), tuple(pictures.shape[1:]), 1)  # type: ignore[arg-type]
    computed = [each for each, _ in quantized.captured.graph.named_buffers()]
    priced = policy.of(table)
    return weight_bytes(content, computed), int(counts(priced, products_by_slot(priced))["weight_bytes"][0])


@pytest.mark.parametrize("name", SPACES)
def test_the_file_weighs_what_was_priced(name: str) -> None:
    stored, priced = stored_and_priced(name, SPACES.index(name) % 3)
    assert stored == priced


@pytest.fixture(scope="module")
def whole() -> tuple[Quantized, Tensor, bytes]:
    """All int8, for six pictures."""
    network, pictures = small()
    quantized = under(network, pictures)
    return quantized, pictures, fixed_quantized_onnx_file(qdq_network(quantized), SIZE, len(pictures))


def test_onnxruntime_computes_what_the_reference_does(whole: tuple[Quantized, Tensor, bytes]) -> None:
    quantized, pictures, content = whole
    assert differ(content, quantized, pictures) < 0.05


def differ(content: bytes, quantized: Quantized, pictures: Tensor) -> float:
    """The largest difference of the logits, as a share of the largest logit."""
    expected = IntegerNetwork.of(quantized)(pictures)
    return float((OnnxNetwork(content)(pictures) - expected).abs().max() / expected.abs().max())


def test_any_number_of_pictures() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    pictures, widths = torch.randn(5, *SIZE), {"conv": width("int8"), "linear": width("w4")}
    quantized = quantize(network.eval(), list(widths), QuantizationPolicy(widths), [pictures])
    content = quantized_onnx_file(qdq_network(quantized), SIZE)
    for many in (1, 5):
        assert differ(content, quantized, pictures[:many]) < 0.05
    model = onnx.load_model_from_string(content)
    assert model.opset_import[0].version == 21
    kinds = {
        each.name.rpartition(".")[2]: each.data_type for each in model.graph.initializer if "integers" in each.name
    }
    assert kinds["integers_of_4_bits"] == onnx.TensorProto.INT4


def test_products_are_integers(whole: tuple[Quantized, Tensor, bytes], tmp_path: Path) -> None:
    fused = operators_run(whole[2], tmp_path)
    assert fused["QLinearConv"] == 5
    assert fused["QLinearAdd"] == fused["QLinearMul"] == fused["QGemm"] == 1
    assert not fused.keys() & {"Conv", "FusedConv", "Gemm", "MatMul"}


def operators_run(content: bytes, folder: Path) -> Counter[str]:
    """What onnxruntime makes of a file."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(EXACT_PRODUCTS, "1")
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def test_products_are_integers_where_activations_are_symmetric(tmp_path: Path) -> None:
    network, pictures = small()
    quantized = under(network, pictures, scheme="symmetric")
    content = fixed_quantized_onnx_file(qdq_network(quantized), SIZE, len(pictures))
    assert operators_run(content, tmp_path)["QLinearConv"] == 5
    assert differ(content, quantized, pictures) < 0.05


def test_integers_are_stored_as_integers(whole: tuple[Quantized, Tensor, bytes]) -> None:
    stored = onnx.load_model_from_string(whole[2]).graph.initializer
    kinds = Counter(each.data_type for each in stored if each.name.endswith(".integers"))
    assert kinds == {onnx.TensorProto.INT8: 6, onnx.TensorProto.INT32: 6}
    assert max(len(each.dims) for each in stored if each.data_type == onnx.TensorProto.FLOAT) == 1  # scales alone


@pytest.mark.parametrize("widths", ["w4", "w8"])
def test_weights_alone_in_few_bits(widths: str) -> None:
    network, pictures = small()
    quantized = under(network, pictures, widths=dict.fromkeys(("depthwise", "classifier"), widths))
    content = fixed_quantized_onnx_file(qdq_network(quantized), SIZE, len(pictures))
    assert differ(content, quantized, pictures) < 0.05
    graph = onnx.load_model_from_string(content).graph
    packed = [each for each in graph.initializer if each.data_type == onnx.TensorProto.INT4]
    assert [len(each.raw_data or each.int32_data) for each in packed] == ([18, 42] if widths == "w4" else [])


def test_extreme_pictures_do_not_overflow() -> None:
    """Without the option for right sums some processors cut off products of large weights and large activations."""
    convolution = nn.Sequential(nn.Conv2d(8, 4, 1))
    with torch.no_grad():
        convolution[0].weight.fill_(1.0)
    pictures = torch.cat([torch.zeros(1, 8, 4, 4), torch.ones(1, 8, 4, 4)])
    quantized = quantize(convolution.eval(), ["only"], QuantizationPolicy({"only": width("int8")}), [pictures])
    content = fixed_quantized_onnx_file(qdq_network(quantized), (8, 4, 4), 2)
    with torch.no_grad():
        expected = convolution(pictures)
    assert float((OnnxNetwork(content)(pictures) - expected).abs().max()) < 0.05


def test_what_onnxruntime_lacks_is_named() -> None:
    check_widths(WIDTHS)
    with pytest.raises(WrongUse, match="does not execute operators of width w2a2, w4a8; it has fp32, int8, w8, w4"):
        check_widths(["int8", "w4a8", "w2a2"])
