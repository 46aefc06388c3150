"""ONNX files, written here node by node or exported from timm's networks."""

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from nas import onnx_door, torchvision_door
from nas.assembly import published_members
from nas.importing import import_network
from nas.importing.lowering import lower
from nas.importing.onnx import read
from predictors.hardware.memory.tflm import least_arena_bytes, tail_bytes
from predictors.hardware.price import price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import Kind
from tests.nas.importing.files import node, onnx, two_convolutions, write_onnx


def test_a_small_network(tmp_path: Path) -> None:
    imported = import_network(two_convolutions(tmp_path / "a.onnx"))
    assert imported.table.kinds == (Kind.CONV, Kind.DEPTHWISE, Kind.POOL, Kind.LINEAR)
    priced = {name: int(column[0]) for name, column in price_table(imported.table, "c", schedule="none").items()}
    assert priced["macs"] == 64 * 8 * 27 + 64 * 8 * 9 + 5 * 8
    assert priced["params"] == 8 * 27 + 2 * 8 + 8 * 9 + 8 + 5 * 8 + 5
    assert priced["weight_bytes"] == 8 * 27 + 8 * 9 + 5 * 8
    assert priced["peak_sram_bytes"] == 8 * 64 + 10 * 12  # the depthwise convolution in place, beside one padded plane
    assert not imported.unknown
    assert imported.notes == ("the file stores float32; counted is the int8 network that quantizing it gives",)


def test_products_gates_and_parts(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "picture wq", "q"),
        node("MatMul", "picture wk", "k0"),
        node("Transpose", "k0", "k", perm=[0, 2, 1]),
        node("MatMul", "q k", "scores"),
        node("Softmax", "scores", "soft"),
        node("MatMul", "soft picture", "mixed"),
        node("Slice", "mixed start end axis", "half"),
        node("Foo", "half", "odd", domain="com.example"),
        node("LayerNormalization", "half g b", "normed"),
    ]
    weights = {"wq": (6, 4), "wk": (6, 4), "g": (3,), "b": (3,)}
    integers = {"start": [0], "end": [3], "axis": [2]}
    path = write_onnx(tmp_path / "a.onnx", nodes[:7] + nodes[8:], weights, [1, 10, 6], integers=integers)
    layers = [row.layer for row in lower(read(path)).rows]
    kinds = [Kind.LINEAR, Kind.LINEAR, Kind.OTHER, Kind.MATMUL, Kind.MATMUL, Kind.OTHER, Kind.NORM]
    assert [layer.kind for layer in layers] == kinds
    macs = price_table(import_network(path).table, "analytic")["macs"][0]
    assert macs == 2 * 10 * 6 * 4 + 10 * 10 * 4 + 10 * 10 * 6


def test_an_operator_of_nobody_is_named(tmp_path: Path) -> None:
    nodes = [node("Conv", "picture w", "a"), node("Relu", "a", "c")]
    odd = onnx.helper.make_node("ConvTranspose", ["c", "t"], ["d"])
    path = write_onnx(tmp_path / "a.onnx", [*nodes, odd], {"w": (4, 3, 1, 1), "t": (4, 2, 3, 3)}, [1, 3, 8, 8])
    imported = import_network(path)
    assert imported.unknown == {"ConvTranspose": 1}
    assert price_table(imported.table, "c")["params"][0] == 12 + 72
    foreign = onnx.helper.make_node("Foo", ["c"], ["d"], domain="com.example")
    path = write_onnx(tmp_path / "b.onnx", [*nodes, foreign], {"w": (4, 3, 1, 1)}, [1, 3, 8, 8])
    with pytest.raises(WrongUse, match="the shape of tensor 'd' is not known"):
        import_network(path)


def test_quantized_by_pairs_of_nodes(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "picture s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("DequantizeLinear", "w s z", "wd"),
        node("Conv", "d wd", "a"),
        node("QuantizeLinear", "a s z", "b"),
        node("DequantizeLinear", "b s z", "c"),
    ]
    path = write_onnx(tmp_path / "a.onnx", nodes, {"s": ()}, [1, 3, 8, 8])
    model = onnx.load(path)
    for name, shape in (("w", [4, 3, 1, 1]), ("z", [])):
        values = bytes(12 if shape else 1)
        model.graph.initializer.append(onnx.helper.make_tensor(name, onnx.TensorProto.INT8, shape, values, raw=True))
    path.write_bytes(model.SerializeToString())
    imported = import_network(path)
    assert imported.table.slots == 1
    assert imported.numbers == "int8"
    assert price_table(imported.table, "c")["params"][0] == 12


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ([2, 3, 16, 16], "takes 2 pictures at once"),
        (["batch", 3, "height", 16], r"open size \[1, 3, 'height', 16\]"),
    ],
)
def test_sizes_that_are_not_those_of_one_picture(tmp_path: Path, size: list[Any], said: str) -> None:
    path = write_onnx(tmp_path / "a.onnx", [node("Conv", "picture w", "a")], {"w": (4, 3, 1, 1)}, size)
    with pytest.raises(WrongUse, match=said):
        import_network(path)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load(two_convolutions(tmp_path / "a.onnx"))
    onnx.save(model, tmp_path / "b.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(WrongUse, match="weights in another file"):
        import_network(tmp_path / "b.onnx")


def test_what_is_no_onnx_file(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(WrongUse, match="damaged, or no ONNX file"):
        import_network(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"")
    with pytest.raises(WrongUse, match="has 0 operators"):
        import_network(tmp_path / "b.onnx")


@pytest.mark.parametrize(
    ("name", "ours", "pixels"), [("tinynet_e", "tinynet_e", 106), ("tiny_vit_5m_224", "tiny_vit_5m", 224)]
)
def test_networks_of_timm_cost_what_ours_do(tmp_path: Path, name: str, ours: str, pixels: int) -> None:
    network = torchvision_door.import_behind("timm").create_model(name, num_classes=1000).eval()
    path = tmp_path / "a.onnx"
    path.write_bytes(onnx_door.fixed_onnx_file(network, (3, pixels, pixels), 1))
    imported = import_network(path)
    assert not imported.unknown
    own = published_members()[ours][1].table()
    for runtime in ("analytic", "c"):
        theirs, expected = (price_table(table, runtime, schedule="none") for table in (imported.table, own))
        assert theirs["macs"][0] == expected["macs"][0]
        assert theirs["peak_sram_bytes"][0] == expected["peak_sram_bytes"][0]
    # of attention biases the file holds the ones that are looked up
    assert theirs["weight_bytes"][0] == pytest.approx(expected["weight_bytes"][0], rel=0.015)


def test_mobilenet_v2_at_96_pixels(tmp_path: Path) -> None:
    network = torchvision_door.import_behind("timm").create_model("mobilenetv2_035", num_classes=2).eval()
    path = tmp_path / "a.onnx"
    path.write_bytes(onnx_door.fixed_onnx_file(network, (3, 96, 96), 1))
    table = import_network(path).table
    priced = price_table(table, "c", schedule="none")
    # counted in TensorFlow Lite Micro
    assert (priced["macs"][0], least_arena_bytes(table)[0] - tail_bytes(table)[0]) == (10_656_688, 138_240)
    # the second expansion, 8 and 48 channels of 48 x 48: its depthwise convolution needs no room for an output
    assert priced["peak_sram_bytes"][0] == 48 * 48 * (8 + 48)


def test_an_export_for_any_number_of_pictures(tmp_path: Path) -> None:
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    path = tmp_path / "a.onnx"
    path.write_bytes(onnx_door.onnx_file(nn.Sequential(*layers, nn.Linear(8, 5)).eval(), (3, 16, 16)))
    assert not onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_value
    priced = price_table(import_network(path).table, "c", schedule="none")
    assert (priced["macs"][0], priced["peak_sram_bytes"][0]) == (64 * 8 * 27 + 40, 64 * 8 + 8)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    nodes = [node("Mul", "one two", "sides"), node("Reshape", "picture sides", "a"), node("Conv", "a w", "b")]
    integers = {"one": [1, 1, 8, 8], "two": [1, 3, 1, 1]}
    path = write_onnx(tmp_path / "a.onnx", nodes, {"w": (4, 3, 1, 1)}, [1, 3, 8, 8], integers=integers)
    assert import_network(path).table.present.sum() == 1
    path.write_bytes(path.read_bytes().replace(b"sides", b"s\xcbdes"))
    with pytest.raises(WrongUse, match="is no text"):
        import_network(path)
