"""Stitched networks: least squares where the answer is known, routes against their plain networks, budgets, weights."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nas.training.epochs import Recipe
from search_spaces.blocks.stitch_fitting import fit_stitches
from search_spaces.blocks.stitched_network import Stitch, StitchedNetwork
from search_spaces.blocks.stitched_supernet import StitchedSupernet
from search_spaces.blocks.transformer import TransformerNetwork
from search_spaces.core.errors import WrongUse
from search_spaces.snnet import SnNet
from search_spaces.snnetv2 import SnNetV2

CLASSES = 5


def network(dim: int, depth: int = 4, pool: str = "class") -> dict[str, Any]:
    return {
        "input_size": [3, 8, 8],
        "tokenizer": [{"out": dim, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}],
        "layers": [{"heads": dim // 8, "head_dim": 8, "mlp": 2 * dim} for _ in range(depth)],
        "classes": CLASSES,
        "pool": pool,
    }


def settings(*networks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "anchors": [{"name": f"n{n}", "network": one} for n, one in enumerate(networks)],
        "classes": CLASSES,
        **more,
    }


def pictures(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["snnet", "unpaired", "snnetv2", "sequence"])
def space(request: pytest.FixtureRequest) -> Any:
    if request.param == "snnetv2":
        return SnNetV2.restored(settings(network(16), network(24, depth=8), rank=4))
    if request.param == "unpaired":
        return SnNet.restored(settings(network(16), network(24, depth=6), network(32, depth=6)))
    pool = "sequence" if request.param == "sequence" else "class"
    return SnNet.restored(settings(network(16, pool=pool), network(24, pool=pool), deeper=True))


def shaken(supernet: StitchedSupernet) -> StitchedSupernet:
    """With random values where weights begin at zero, so that nothing is missed."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in supernet.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return supernet.eval()


@torch.no_grad()
def test_every_route_is_its_plain_network(space: Any) -> None:
    supernet = shaken(space.supernet())
    for route in space.routes:
        member = space.member(route.name)
        supernet.activate(member)
        plain = supernet.extract(member)
        assert isinstance(plain, TransformerNetwork)
        assert torch.allclose(plain(pictures()), supernet(pictures()), atol=1e-5)
        assert len(plain.layers) == sum(part.end - part.first for part in route.parts)


@torch.no_grad()
def test_an_anchor_is_the_network_it_was(space: Any) -> None:
    torch.manual_seed(0)
    anchors = [TransformerNetwork(**arguments).eval() for arguments in space.anchors]
    supernet = space.supernet().eval()
    supernet.start_from([anchor.state_dict() for anchor in anchors], pictures())
    for number, anchor in enumerate(anchors):
        supernet.activate(space.member("AB"[number] if number < 2 else "C"))
        assert torch.allclose(anchor(pictures()), supernet(pictures()), atol=1e-6)


# least squares


def test_what_a_network_hands_to_itself_is_fitted_by_the_identity() -> None:
    """Stitched to a copy of itself, from block j to block j + 1: what is read there is what was made here."""
    torch.manual_seed(0)
    arguments, routes = network(16), []
    for left in range(3):
        parts = [[0, 0, left + 1], [1, left + 1, 4]]
        routes.append({"name": str(left), "parts": parts, "stitches": [left], "macs": 0, "score": 0.0})
    stitched: Any = StitchedNetwork(TransformerNetwork, [arguments, arguments], routes)
    stitched.anchors[1].load_state_dict(stitched.anchors[0].state_dict())
    images = pictures(40)
    fit_stitches(stitched, images)
    with torch.no_grad():
        alone = stitched.anchors[0](images)
        for number, stitch in enumerate(stitched.stitches.values()):
            assert torch.allclose(stitch.weight, torch.eye(16), atol=1e-3)
            assert torch.allclose(stitch.bias, torch.zeros(16), atol=1e-3)
            stitched.set_route(number)
            assert torch.allclose(stitched(images), alone, atol=1e-3)


def test_a_shared_layer_is_the_mean_of_its_members_solutions() -> None:
    torch.manual_seed(0)
    pair = [network(16), network(24)]
    members = ([[0, 0, 1], [1, 1, 4]], [[0, 0, 2], [1, 1, 4]])

    def fitted(layers: list[int]) -> list[Tensor]:
        specs = [
            {"name": str(n), "parts": parts, "stitches": [layer], "macs": 0, "score": 0.0}
            for n, (parts, layer) in enumerate(zip(members, layers, strict=True))
        ]
        torch.manual_seed(7)
        stitched: Any = StitchedNetwork(TransformerNetwork, pair, specs)
        fit_stitches(stitched, pictures(60))
        return [stitch.weight.detach() for stitch in stitched.stitches.values()]

    one, other = fitted([0, 1])
    (shared,) = fitted([0, 0])
    assert not torch.allclose(one, other, atol=1e-3)
    assert torch.allclose(shared, (one + other) / 2, atol=1e-5)


def test_least_squares_are_no_worse_than_any_other_layer(space: Any) -> None:
    """At the solution of a layer of one member the error's gradient is zero."""
    if space.name != "snnet" or not space.settings.deeper:
        pytest.skip("one space says it")
    supernet = space.supernet().eval()
    fit_stitches(supernet, pictures(30))
    alone = [n for n in range(len(supernet.stitches)) if sum(n in r.layers for r in space.routes) == 1]
    for number in alone:
        route = next(route for route in space.routes if number in route.layers)
        (front, _, end), (back, first, _) = route.parts
        made, read = (supernet.anchors[anchor].embed(pictures(30)) for anchor in (front, back))
        for layer in supernet.anchors[front].layers[:end]:
            made = layer(made)
        for layer in supernet.anchors[back].layers[:first]:
            read = layer(read)
        error = supernet.stitches[str(number)](made.detach()) - read.detach()
        assert torch.allclose(torch.einsum("nti,ntj->ij", error, made), torch.zeros(()), atol=1e-2)


def test_nothing_is_fitted_on_no_picture(space: Any) -> None:
    with pytest.raises(ValueError, match="there is none"):
        fit_stitches(space.supernet(), pictures(0))


# low rank


def test_the_update_begins_at_nothing_and_alone_is_trained() -> None:
    stitch = Stitch(16, 24, rank=4)
    plain = torch.nn.functional.linear(pictures().flatten(2)[..., :16], stitch.weight, stitch.bias)
    assert torch.equal(stitch(pictures().flatten(2)[..., :16]), plain)
    assert {name for name, value in stitch.named_parameters() if value.requires_grad} == {"down", "up"}
    assert {name for name, value in Stitch(16, 24).named_parameters() if value.requires_grad} == {"weight", "bias"}


# budgets


def routed() -> StitchedNetwork:
    routes: list[Any] = [
        {"name": "A", "parts": [[0, 0, 4]], "stitches": [], "macs": 10, "score": 0.5},
        {"name": "A[:2]+B[2:]", "parts": [[0, 0, 2], [1, 2, 4]], "stitches": [0], "macs": 20, "score": 0.8},
        {"name": "A[:1]+B[1:]", "parts": [[0, 0, 1], [1, 1, 4]], "stitches": [0], "macs": 25, "score": 0.7},
        {"name": "B", "parts": [[1, 0, 4]], "stitches": [], "macs": 30, "score": 0.8},
    ]
    return StitchedNetwork(TransformerNetwork, [network(16), network(24)], routes).eval()


@pytest.mark.parametrize(("macs", "name"), [(10, "A"), (19.9, "A"), (20, "A[:2]+B[2:]"), (1e9, "A[:2]+B[2:]")])
def test_a_budget_takes_the_best_route_within_the_cheapest_of_equals(macs: float, name: str) -> None:
    assert routed().set_budget(macs)["name"] == name


def test_a_budget_below_the_cheapest_route_says_what_that_needs() -> None:
    with pytest.raises(ValueError, match="the cheapest has 10"):
        routed().set_budget(9)


def test_a_switch_moves_no_weights() -> None:
    stitched = routed()
    before = {name: value.data_ptr() for name, value in stitched.named_parameters()}
    outputs = []
    for number in range(4):
        stitched.set_route(number)
        outputs.append(stitched(pictures()))
    assert before == {name: value.data_ptr() for name, value in stitched.named_parameters()}
    assert all(not torch.equal(a, b) for n, a in enumerate(outputs) for b in outputs[:n])


# weights that do not fit


def anchors_of(space: Any) -> list[dict[str, Tensor]]:
    return [TransformerNetwork(**arguments).state_dict() for arguments in space.anchors]


def test_weights_with_missing_or_more_tensors_are_refused(space: Any) -> None:
    lacking, having = anchors_of(space), anchors_of(space)
    del lacking[0]["norm.weight"]
    having[1]["extra.weight"] = torch.zeros(1)
    for weights, told in ((lacking, "lacks norm.weight"), (having, "has extra.weight")):
        with pytest.raises(WrongUse, match=told):
            space.supernet().start_from(weights, pictures())


def test_weights_of_another_shape_are_refused_but_for_the_classifier(space: Any) -> None:
    weights = anchors_of(space)
    weights[0]["classifier.weight"] = torch.zeros(9, space.anchors[0]["tokenizer"][0]["out"])
    weights[0]["classifier.bias"] = torch.zeros(9)
    space.supernet().start_from(weights, pictures())
    weights[0]["norm.weight"] = torch.zeros(3)
    with pytest.raises(WrongUse, match=r"norm.weight has the shape \(3,\)"):
        space.supernet().start_from(weights, pictures())


def test_anchors_have_a_learning_rate_of_their_own() -> None:
    space = SnNet.restored(settings(network(16), network(24), anchor_rate=0.1))
    optimizer = Recipe(epochs=1, learning_rate=1.0).optimizer_of(space.supernet())
    counts = {group["factor"]: sum(value.numel() for value in group["params"]) for group in optimizer.param_groups}
    supernet: Any = space.supernet()
    assert counts == {
        0.1: sum(value.numel() for value in supernet.anchors.parameters()),
        1.0: sum(value.numel() for value in supernet.stitches.parameters()),
    }


def test_a_fitted_layer_with_a_rank_is_not_trained() -> None:
    supernet: Any = SnNetV2.restored(settings(network(16), network(24, depth=8), rank=4)).supernet()
    trained = {
        id(p) for g in Recipe(epochs=1, learning_rate=1.0).optimizer_of(supernet).param_groups for p in g["params"]
    }
    for stitch in supernet.stitches.values():
        assert {name for name, value in stitch.named_parameters() if id(value) in trained} == {"down", "up"}
