"""Convolutional networks stitched stage by stage: routes, least squares, prices, what cannot be stitched."""

from typing import Any

import pytest
import torch
from torch import Tensor

from predictors.hardware.price import price_table
from search_spaces.blocks.mbconv import MbconvNetwork
from search_spaces.core.errors import WrongUse
from search_spaces.snnet import SnNet
from search_spaces.snnetv2 import SnNetV2
from tests.contracts.tracing import assert_same, without_weights

CLASSES = 5


def block(inside: int, out: int, stride: int = 1) -> dict[str, Any]:
    residual = stride == 1 and inside == out
    return {
        "in": inside,
        "mid": 2 * inside,
        "out": out,
        "kernel": 3,
        "stride": stride,
        "residual": residual,
        "squeeze": 2,
    }


def network(width: int, depths: tuple[int, ...] = (1, 3, 2), **more: Any) -> dict[str, Any]:
    """A stage of `depths` blocks each, of `width`, 2 x `width`, ... channels; all but the first begin by striding."""
    blocks, inside = [], width
    for number, depth in enumerate(depths):
        for index in range(depth):
            blocks.append(block(inside, (number + 1) * width, 2 if number and not index else 1))
            inside = (number + 1) * width
    stem = {"out": width, "kernel": 3, "stride": 2}
    return {"input_size": [3, 16, 16], "stem": stem, "blocks": blocks, "mix": 4 * width, "classes": CLASSES, **more}


def settings(*networks: dict[str, Any], **more: Any) -> dict[str, Any]:
    anchors = [{"name": f"n{n}", "factory": "MbconvNetwork", "network": one} for n, one in enumerate(networks)]
    return {"anchors": anchors, "classes": CLASSES, **more}


def pictures(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["equal depths", "a deeper one", "three"])
def space(request: pytest.FixtureRequest) -> SnNet:
    others = {
        "equal depths": [network(6)],
        "a deeper one": [network(6, (1, 5, 2))],
        "three": [network(6, (2, 3, 2)), network(8, (2, 6, 2))],
    }
    return SnNet.restored(settings(network(4), *others[request.param]))


@torch.no_grad()
def test_every_route_is_its_plain_network_and_costs_what_that_costs(space: SnNet) -> None:
    supernet: Any = space.supernet()
    torch.manual_seed(3)
    for value in (*supernet.parameters(), *supernet.buffers()):
        if value.is_floating_point():
            value.add_(0.1 * torch.rand_like(value))
    supernet.eval()
    population = space.population([space.member(route.name) for route in space.routes])
    table = space.decode(population)
    params = price_table(table, "c", schedule="none")["params"]
    assert any(not route.is_anchor for route in space.routes)
    for row, member in enumerate(population):
        supernet.activate(member)
        plain = supernet.extract(member)
        assert isinstance(plain, MbconvNetwork)
        assert torch.allclose(plain(pictures()), supernet(pictures()), atol=1e-5)
        assert plain.state_dict().keys() == space.build(member).state_dict().keys()
        with without_weights():
            network = space.build(member)
        trace = assert_same(network, table, row, space.input_size(member))
        assert trace.flops == 2 * space.works[row]
        assert sum(value.numel() for value in plain.parameters()) == params[row]


def test_stitches_stay_within_a_stage_and_none_stands_in_the_last() -> None:
    names = [route.name for route in SnNet.restored(settings(network(4), network(6))).routes]
    assert sorted(names) == ["A", "A[:2]+B[2:]", "A[:3]+B[3:]", "B"]  # stages of blocks 0, 1 to 3, 4 and 5


@torch.no_grad()
def test_what_a_network_hands_to_a_copy_of_itself_is_fitted_by_the_identity() -> None:
    """Where block and next block have one width, least squares find the identity; a stitch then changes nothing."""
    space = SnNet.restored(settings(network(4), network(4) | {"hidden": 3}))
    supernet: Any = space.supernet()
    torch.manual_seed(0)
    anchors = [MbconvNetwork(**arguments).eval() for arguments in space.anchors]
    anchors[1].load_state_dict({**anchors[1].state_dict(), **_shared(anchors)})
    supernet.start_from([anchor.state_dict() for anchor in anchors], pictures(60))
    supernet.eval()
    expected = anchors[1](pictures())
    for number, route in enumerate(space.routes):
        if len(route.parts) > 1:
            supernet.set_route(number)
            assert torch.allclose(supernet(pictures()), expected, atol=1e-3)
    supernet.activate(space.member("A"))
    assert torch.allclose(supernet(pictures()), anchors[0](pictures()), atol=1e-6)


def _shared(anchors: list[MbconvNetwork]) -> dict[str, Tensor]:
    own = anchors[1].state_dict()
    return {k: v for k, v in anchors[0].state_dict().items() if k in own and own[k].shape == v.shape}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (network(6, (1, 5)), "one number of stages"),
        (network(6, activation="silu"), "one activation"),
        (network(6, squeeze=["silu", "sigmoid"]), "one squeeze"),
        (network(6, input_size=[3, 32, 32]), "one input_size"),
    ],
)
def test_networks_that_do_not_go_together_are_refused(other: dict[str, Any], said: str) -> None:
    from search_spaces.stitching.anchors import Anchor, check_family

    with pytest.raises(WrongUse, match=said):
        check_family([Anchor(**entry) for entry in settings(network(4), other)["anchors"]], None)


def test_stages_without_a_place_for_a_stitch_and_routes_both_ways_are_refused() -> None:
    with pytest.raises(WrongUse, match="no stage but the last has two blocks"):
        SnNet.restored(settings(network(4, (1, 1, 4)), network(6, (1, 1, 4))))
    with pytest.raises(WrongUse, match="3 stages; choose --space snnet"):
        SnNetV2.restored(settings(network(4), network(6)))
