from typing import Any

import pytest

from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer


def block(**changes: Any) -> dict[str, Any]:
    plain = {"in": 8, "mid": 24, "out": 8, "kernel": 5, "stride": 1, "residual": True, "squeeze": 0}
    return {**plain, **changes}


def network(*blocks: dict[str, Any], mix: int = 0) -> list[Layer]:
    stem = {"out": 8, "kernel": 3, "stride": 2}
    return mbconv_layers({"input_size": [3, 31, 20], "stem": stem, "blocks": blocks, "mix": mix, "classes": 4})


def test_a_residual_block_operator_by_operator() -> None:
    layers = network(block())
    assert layers == [
        Layer("stem", Kind.CONV, NETWORK_INPUT, NO_INPUT, 3, 8, 31, 20, 16, 10, 3, 2, 1, 2, cut=True),
        Layer("block0.expand", Kind.CONV, 0, NO_INPUT, 8, 24, 16, 10, 16, 10, 1, 1, 1, 2),
        Layer("block0.depthwise", Kind.DEPTHWISE, 1, NO_INPUT, 24, 24, 16, 10, 16, 10, 5, 1, 24, 2),
        Layer("block0.project", Kind.CONV, 2, NO_INPUT, 24, 8, 16, 10, 16, 10, 1, 1, 1, 2),
        Layer("block0.add", Kind.ADD, 3, 0, 8, 8, 16, 10, 16, 10, cut=True),
        Layer("pool", Kind.POOL, 4, NO_INPUT, 8, 8, 16, 10, 1, 1),
        Layer("classifier", Kind.LINEAR, 5, NO_INPUT, 8, 4, 1, 1, 1, 1, channel_params=1),
    ]


def test_absent_parts_leave_no_operator() -> None:
    layers = network(
        block(mid=0, kernel=1, residual=False, out=12), block(**{"in": 12}, out=16, stride=2, residual=False)
    )
    assert [layer.name for layer in layers] == [
        "stem",
        "block0.project",
        "block1.expand",
        "block1.depthwise",
        "block1.project",
        "pool",
        "classifier",
    ]
    assert [layer.cut for layer in layers] == [True, True, False, False, True, False, False]
    assert (layers[3].out_height, layers[3].out_width) == (8, 5)


def test_squeeze_excite_multiplies_the_map_by_its_gate() -> None:
    layers = {layer.name: layer for layer in network(block(squeeze=6))}
    names = list(layers)
    gate, reduce, excite = (layers[f"block0.{part}"] for part in ("gate", "reduce", "excite"))
    assert names[3:8] == [f"block0.{part}" for part in ("squeeze", "reduce", "excite", "gate", "project")]
    assert names[gate.input_a] == "block0.depthwise"
    assert names[gate.input_b] == "block0.excite"
    assert (reduce.in_channels, reduce.out_channels, reduce.out_height, reduce.channel_params) == (24, 6, 1, 1)
    assert (excite.out_channels, gate.out_height, gate.out_width) == (24, 16, 10)


def test_a_mix_layer_comes_last() -> None:
    layers = network(block(), mix=32)
    assert [layer.name for layer in layers[-3:]] == ["mix", "pool", "classifier"]
    assert layers[-1].in_channels == 32


@pytest.mark.parametrize(("side", "stride", "out"), [(7, 2, 4), (8, 2, 4), (7, 3, 3), (1, 2, 1)])
def test_maps_are_halved_upwards(side: int, stride: int, out: int) -> None:
    arguments = {"input_size": [1, side, side], "stem": {"out": 8, "kernel": 3, "stride": stride}}
    assert mbconv_layers({**arguments, "blocks": [], "mix": 0, "classes": 2})[0].out_height == out
