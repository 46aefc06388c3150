"""Swin transformers stitched stage by stage: routes, least squares, prices, what cannot be stitched."""

from typing import Any

import pytest
import torch
from torch import Tensor

from predictors.hardware.price import price_table
from search_spaces.blocks.swin import SwinNetwork
from search_spaces.core.errors import WrongUse
from search_spaces.snnet import SnNet
from search_spaces.stitching.anchors import Anchor, check_family
from tests.contracts.tracing import assert_same, without_weights

CLASSES, SIZE = 5, (3, 36, 28)


def network(dim: int, depths: tuple[int, ...] = (2, 3, 2), window: int = 3, **more: Any) -> dict[str, Any]:
    """Stages of `depths` blocks, of `dim`, 2 x `dim`, ... channels; maps of 9x7, 5x4 and 3x2, which windows overlap."""
    blocks: list[dict[str, Any]] = []
    for stage, depth in enumerate(depths):
        width = dim * 2**stage
        for number in range(depth):
            shape = {"heads": 2, "head_dim": width // 2, "mlp": 3 * width}
            windows = {"window": [window, 2], "shift": [number % 2, 0]}
            blocks.append({**shape, **windows, **({"merge": width} if stage and not number else {})})
    patch = {"out": dim, "kernel": 4}
    return {"input_size": list(SIZE), "patch": patch, "blocks": blocks, "classes": CLASSES, **more}


def settings(*networks: dict[str, Any], **more: Any) -> dict[str, Any]:
    anchors = [{"name": f"n{n}", "factory": "SwinNetwork", "network": one} for n, one in enumerate(networks)]
    return {"anchors": anchors, "classes": CLASSES, **more}


def pictures(count: int = 6) -> Tensor:
    return torch.randn(count, *SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["equal depths", "a deeper one", "three, of other windows"])
def space(request: pytest.FixtureRequest) -> SnNet:
    others = {
        "equal depths": [network(12)],
        "a deeper one": [network(12, (2, 6, 2))],
        "three, of other windows": [network(12, (2, 3, 2), 4), network(16, (2, 6, 3), 5)],
    }
    return SnNet.restored(settings(network(8), *others[request.param]))


@torch.no_grad()
def test_every_route_is_its_plain_network_and_costs_what_that_costs(space: SnNet) -> None:
    supernet: Any = space.supernet()
    torch.manual_seed(3)
    for value in supernet.parameters():
        value.add_(0.1 * torch.rand_like(value))
    supernet.eval()
    population = space.population([space.member(route.name) for route in space.routes])
    table = space.decode(population)
    params = price_table(table, "analytic", schedule="none")["params"]
    assert any(not route.is_anchor for route in space.routes)
    for row, member in enumerate(population):
        supernet.activate(member)
        plain = supernet.extract(member)
        assert isinstance(plain, SwinNetwork)
        assert torch.allclose(plain(pictures()), supernet(pictures()), atol=1e-5)
        rebuilt = space.build(member).eval()
        rebuilt.load_state_dict(plain.state_dict())
        assert torch.equal(rebuilt(pictures()), plain(pictures()))
        with without_weights():
            network = space.build(member)
        trace = assert_same(network, table, row, space.input_size(member))
        assert trace.flops == 2 * space.works[row]
        assert sum(value.numel() for value in plain.parameters()) == params[row]


def test_stitches_stay_within_a_stage_and_none_stands_in_the_last() -> None:
    names = [route.name for route in SnNet.restored(settings(network(8), network(12))).enumerated]
    # stages of blocks 0 and 1, 2 to 4, 5 and 6
    assert names == ["A", "B", "A[:1]+B[1:]", "A[:3]+B[3:]", "A[:4]+B[4:]"]


@torch.no_grad()
def test_what_a_network_hands_to_a_copy_of_itself_is_fitted_by_the_identity() -> None:
    space = SnNet.restored(settings(network(8), network(8)))
    supernet: Any = space.supernet()
    torch.manual_seed(0)
    anchor = SwinNetwork(**network(8)).eval()
    supernet.start_from([anchor.state_dict()] * 2, pictures(60))
    supernet.eval()
    for number in range(len(space.routes)):
        supernet.set_route(number)
        assert torch.allclose(supernet(pictures()), anchor(pictures()), atol=1e-3)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (network(12, (2, 3)), "one number of stages"),
        (network(12, classes=4), "one classes"),
        (network(12, input_size=[3, 32, 32]), "one input_size"),
        (network(12, patch={"out": 12, "kernel": 2}), "one side of a patch"),
        (network(12, stitches=[{"after": 1, "out": 12}]), "has stitches between its blocks"),
    ],
)
def test_networks_that_do_not_go_together_are_refused(other: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        check_family([Anchor(**entry) for entry in settings(network(8), other)["anchors"]], None)
