"""Widths, policies, and what a tensor is kept with."""

import numpy as np
import pytest

from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import NETWORK_INPUT, Kind, Layer, LayerTable
from search_spaces.core.policy import FP32, INT8, QuantizationPolicy, Width, quantizable_names, width, widths


def _layer(name: str, kind: Kind, a: int, b: int = -2) -> Layer:
    return Layer(name, kind, a, b, 8, 8, 4, 4, 4, 4, channel_params=1)


def _residual() -> LayerTable:
    """Conv one, then two beside it, their sum, and a classifier."""
    return LayerTable.from_layers(
        [
            _layer("one", Kind.CONV, NETWORK_INPUT),
            _layer("two", Kind.CONV, 0),
            _layer("sum", Kind.ADD, 1, 0),
            _layer("pool", Kind.POOL, 2),
            _layer("classifier", Kind.LINEAR, 3),
        ]
    )


def _kept(**told: str) -> dict[str, int]:
    table = _residual()
    policy = QuantizationPolicy({name: width(told.get(name, "int8")) for name in quantizable_names(table)})
    found = policy.of(table).widths
    assert found is not None
    return dict(zip(table.slot_names, found.kept_bits[0].tolist(), strict=True))


def test_names_of_widths() -> None:
    assert (width("fp32"), width("int8"), width("w8a8")) == (FP32, INT8, INT8)
    assert width("w4") == Width("w4", 4, 32)
    assert [each.name for each in widths("fp32, w4a8,int8,w4")] == ["w4a8", "w4", "int8", "fp32"]


@pytest.mark.parametrize("name", ["", "int4", "w1", "w9", "w4a1", "w4a16", "W4", "fp16"])
def test_an_unknown_width_is_refused(name: str) -> None:
    with pytest.raises(WrongUse, match="a width is fp32, int8, wN"):
        width(name)


@pytest.mark.parametrize("names", ["int8,int8", "int8,w8a8"])
def test_a_width_stands_once(names: str) -> None:
    with pytest.raises(WrongUse, match="different names"):
        widths(names)


def test_a_tensor_is_kept_for_its_neediest_reader() -> None:
    assert set(_kept().values()) == {8}
    assert _kept(classifier="fp32") == {"one": 32, "two": 32, "sum": 32, "pool": 32, "classifier": 32}
    assert _kept(two="fp32") == {"one": 32, "two": 8, "sum": 8, "pool": 8, "classifier": 8}
    assert _kept(two="w8a4") == {"one": 8, "two": 8, "sum": 8, "pool": 8, "classifier": 8}
    assert _kept(classifier="w8a4", two="w8a4")["sum"] == 4


def test_weights_only_leaves_activations_floats() -> None:
    assert _kept(one="w4", two="w4", classifier="w4") == dict.fromkeys(("one", "two", "sum", "pool", "classifier"), 32)


def test_a_policy_is_of_one_network() -> None:
    policy = QuantizationPolicy({"one": INT8, "three": INT8})
    with pytest.raises(WrongUse, match=r"of another network.*lacks classifier, two.*has three"):
        policy.of(_residual())


def test_a_policy_is_plain_json() -> None:
    policy = QuantizationPolicy({"one": width("w4a8"), "two": FP32}, "symmetric", "tensor", "entropy")
    assert QuantizationPolicy.from_document(policy.to_document()) == policy


@pytest.mark.parametrize(
    "document", [{}, {"widths": 3}, {"widths": {"a": "int8"}, "scheme": "odd"}, {"widths": {}, "x": 1}]
)
def test_other_json_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(WrongUse, match="policy"):
        QuantizationPolicy.from_document(document)


def test_one_scale_a_channel_or_one_in_all() -> None:
    table = _residual()
    for granularity, scales in (("channel", [8, 8, 0, 0, 8]), ("tensor", [1, 1, 0, 0, 1])):
        policy = QuantizationPolicy(dict.fromkeys(quantizable_names(table), INT8), granularity=granularity)
        found = policy.of(table).widths
        assert found is not None
        assert found.scales.tolist() == [scales]
    floats = QuantizationPolicy.uniform(table, FP32).of(table).widths
    assert floats is not None
    assert not np.any(floats.scales)
