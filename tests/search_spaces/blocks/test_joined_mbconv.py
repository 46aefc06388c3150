"""Joined MBConv networks: members without some of the layers, parts of unequal size, what cannot be joined."""

from typing import Any

import numpy as np
import pytest
import torch

from search_spaces.core.errors import WrongUse
from tests.search_spaces.blocks.mbconv_family import DEPTH, STAGES, Family, family, largest, random_member

EVERY = STAGES * DEPTH


def gradients(network: torch.nn.Module) -> list[torch.Tensor]:
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    return found


@pytest.mark.parametrize(("mix", "count"), [(0, 2), (20, 5)])
def test_members_without_expansion_kernel_or_block_agree_with_slices(mix: int, count: int) -> None:
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    space = Family(largest(mix))
    network = space.elastic.double().train()
    x = torch.randn(3 * count - 1, 3, 12, 12, dtype=torch.float64)
    for _ in range(2):
        members = [space.add(*random_member(rng, mix)) for _ in range(count)]
        alone = []
        for member, part in zip(members, x.tensor_split(count), strict=True):
            network.activate(member)
            alone.append(network(part))
        torch.cat(alone).square().sum().backward()
        wanted = gradients(network)
        network.activate_many(members)
        logits = network(x)
        assert torch.allclose(logits, torch.cat(alone), atol=1e-9)
        logits.square().sum().backward()
        for found, expected in zip(gradients(network), wanted, strict=True):
            assert torch.allclose(found, expected, rtol=1e-7, atol=1e-9 * (1 + float(expected.abs().max())))


def test_a_part_without_the_block_passes_it_by() -> None:
    network: Any = Family(largest()).elastic.train()
    spec, block = largest()["blocks"][1], network.blocks[1]
    parts = [torch.randn(2, 8, 6, 6), torch.randn(2, 4, 6, 6)]
    first, second = network._block_parts(block, parts, [spec, None])
    inner = block.project(block.depthwise(block.expand(parts[0])))
    assert torch.allclose(first, parts[0] + inner, atol=1e-6)
    assert second is parts[1]


def test_activate_is_for_the_whole_batch_again() -> None:
    space, x = Family(largest()), torch.randn(4, 3, 24, 24)
    whole, small = space.add(largest(), range(EVERY)), space.add(*family([4, 6, 8], [2] * EVERY, [3] * EVERY, [1] * 3))
    network = space.elastic.train()
    expected = network(x)
    network.activate_many([whole, small])
    assert not torch.allclose(network(x), expected)
    network.activate(whole)
    assert torch.equal(network(x), expected)


@pytest.mark.parametrize(
    "change", [{"input_size": [3, 16, 16]}, {"classes": 6}, {"stem": {"out": 8, "kernel": 5, "stride": 1}}]
)
def test_what_cannot_be_joined_is_refused(change: dict[str, Any]) -> None:
    space = Family(largest())
    whole, other = space.add(largest(), range(EVERY)), space.add({**largest(), **change}, range(EVERY))
    with pytest.raises(WrongUse, match="share picture size, classes, the stem"):
        space.elastic.activate_many([whole, other])


def test_blocks_in_another_order_are_refused() -> None:
    space = Family(largest())
    arguments, _ = family([8, 12, 16], [4] * EVERY, [7] * EVERY, [1, 1, 1])
    with pytest.raises(WrongUse, match="order"):
        space.elastic.activate_many([space.add(arguments, [3, 0, 6])])
