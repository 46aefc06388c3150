"""Joined transformers: members of other widths, depths and heads, without a bias; what cannot be joined."""

from typing import Any

import pytest
import torch

from search_spaces.blocks.joined_transformer import JoinedTransformer
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse


def arguments(
    dim: int, layers: list[tuple[int, int]], pool: str, after: tuple[int, ...] = (), reach: int = 0, **more: Any
) -> dict[str, Any]:
    """`layers`: heads and hidden channels of each; `after`: the layers behind which tokens are reduced."""
    token = {"out": dim, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    specs = [{"heads": heads, "head_dim": 4, "mlp": mlp, "qkv_bias": False, **more} for heads, mlp in layers]
    reductions = [{"after": layer, "out": dim} for layer in after]
    own = {"input_size": [2, 16, 12], "tokenizer": [token], "layers": specs, "classes": 5, "pool": pool}
    return own | {"reach": reach, "reductions": reductions}


def joined(members: list[dict[str, Any]]) -> tuple[JoinedTransformer, list[Architecture]]:
    """The first is the largest."""
    torch.manual_seed(0)
    network = JoinedTransformer(members[0], lambda one: members[int(one.options["member"])])
    for module in network.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    return network.double().train(), [Architecture("test", {}, {"member": index}) for index in range(len(members))]


@pytest.mark.parametrize("pool", ["class", "patches", "mean"])
@pytest.mark.parametrize("reach", [0, 2])
@pytest.mark.parametrize("after", [((), (), (), ()), ((1, 2), (), (1,), (2,))])
def test_members_agree_with_slices(pool: str, reach: int, after: tuple[tuple[int, ...], ...]) -> None:
    shapes = [
        (12, [(3, 24), (3, 24), (3, 24)]),
        (8, [(1, 8)]),
        (12, [(2, 12), (3, 24)]),
        (4, [(3, 4), (1, 8), (2, 12)]),
    ]
    own = [arguments(dim, layers, pool, at, reach) for (dim, layers), at in zip(shapes, after, strict=True)]
    network, members = joined(own)
    x = torch.randn(6, 2, 16, 12, dtype=torch.float64)  # parts of 2, 2, 1 and 1
    alone = []
    for member, part in zip(members, x.tensor_split(4), strict=True):
        network.activate(member)
        alone.append(network(part))
    torch.cat(alone).square().sum().backward()  # type: ignore[no-untyped-call]
    wanted = {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}
    network.zero_grad()
    network.activate_many(members)
    logits = network(x)
    assert torch.allclose(logits, torch.cat(alone), atol=1e-10)
    logits.square().sum().backward()
    found = {name: value.grad for name, value in network.named_parameters() if value.grad is not None}
    assert found.keys() == wanted.keys()
    assert all(torch.allclose(found[name], wanted[name], atol=1e-9) for name in wanted)
    network.activate(members[0])
    assert torch.allclose(network(x[:2]), alone[0])


def test_a_layer_that_it_does_not_know_is_refused() -> None:
    plain, more = arguments(8, [(2, 8)], "mean"), arguments(8, [(2, 8)], "mean", gate=7)
    network, members = joined([plain, more])
    with pytest.raises(WrongUse, match="with gate cannot be joined"):
        network.activate_many(members)
