"""Which networks go together, and in which order."""

import json
from typing import Any

import pytest

from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.stitching.anchors import is_published, read_anchors


def network(dim: int = 8, conv: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    first = {"out": dim, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    layers = [{"heads": 1, "head_dim": dim, "mlp": 2 * dim}] * 2
    return {
        "input_size": [1, 16, 16],
        "tokenizer": [{**first, **(conv or {})}],
        "layers": layers,
        "classes": 3,
        **more,
    }


def anchors(*networks: dict[str, Any]) -> str:
    return json.dumps([{"name": f"n{number}", "network": one} for number, one in enumerate(networks)])


def test_they_are_ordered_by_their_work() -> None:
    assert [anchor.name for anchor in read_anchors(anchors(network(16), network(8)), None)] == ["n1", "n0"]
    assert [anchor.name for anchor in read_anchors("deit_base,deit_tiny", None)] == ["deit_tiny", "deit_base"]
    assert is_published("deit_tiny")
    assert not is_published("deit_huge")


WITHOUT_BIAS = [{"heads": 1, "head_dim": 8, "mlp": 16, "qkv_bias": False}] * 2


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (network(input_size=[1, 32, 32]), "one input_size"),
        (network(classes=4), "one classes"),
        (network(position="sine"), "one position"),
        (network(pool="patches"), "one pool"),
        (network(conv={"stride": 2, "padding": 1}), "one number of tokens"),
        (network(conv={"kernel": 6, "padding": 1}), "one tokenizer"),
        (network(layers=WITHOUT_BIAS), "one bias of queries, keys and values"),
        (network(reductions=[{"after": 1, "out": 16}]), "has reductions"),
    ],
)
def test_those_that_would_be_built_or_priced_as_another_are_refused(other: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        read_anchors(anchors(network(16), other), None)


def test_one_alone_and_other_channels_are_refused() -> None:
    with pytest.raises(WrongUse, match="2 to 26 anchors, got 1"):
        read_anchors("deit_tiny", None)
    with pytest.raises(WrongUse, match="1 channels, the data have 3"):
        read_anchors(anchors(network(16), network(8)), InputFacts(3, 16, 16, 3, 100))
