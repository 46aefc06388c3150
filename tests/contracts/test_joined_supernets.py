"""Several sub-networks in one pass against each of them alone: the same logits, the same gradients."""

from typing import Any

import numpy as np
import pytest
import torch

from search_spaces.core.architecture import Architecture
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

Space = SearchSpace[Any]
MEMBERS, ROWS = 2, 5  # parts of 3 and 2 pictures
MOST_PIXELS = 80  # a side; larger pictures take the same code and minutes


def of_one_size(space: Space, rng: np.random.Generator) -> list[Architecture]:
    """Random members that take pictures of one size, the smallest such."""
    drawn = list(space.sample(rng, 60))
    least = min(space.input_size(member) for member in drawn)
    return [member for member in drawn if space.input_size(member) == least][:MEMBERS]


def trained_a_little(space: Space) -> Any:
    """The supernet with scales and shifts that differ from channel to channel.

    In double precision: norms over two pictures make small differences large.
    """
    torch.manual_seed(0)
    supernet: Any = space.supernet()
    for module in supernet.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
    return supernet.double().train()


def gradients(supernet: Any) -> dict[str, torch.Tensor]:
    """What was added up by name; a parameter that nothing reached counts as zeros."""
    found = {
        name: torch.zeros_like(value) if value.grad is None else value.grad.clone()
        for name, value in supernet.named_parameters()
    }
    supernet.zero_grad()
    return found


@pytest.fixture
def joined(space: Space, rng: np.random.Generator) -> tuple[Any, list[Architecture], torch.Tensor]:
    if space.default_evaluator != "supernet":
        pytest.skip("the space is not evaluated by a supernet")
    members = of_one_size(space, rng)
    if max(space.input_size(members[0])) > MOST_PIXELS:
        pytest.skip("the same code on smaller pictures is quicker")
    assert len(members) == MEMBERS
    return trained_a_little(space), members, torch.randn((ROWS, *space.input_size(members[0])), dtype=torch.float64)


def test_each_part_is_its_own_member(joined: tuple[Any, list[Architecture], torch.Tensor]) -> None:
    agree(*joined)


def test_relative_positions_of_each_part(rng: np.random.Generator) -> None:
    space = space_class("vit").configured({"preset": "T", "resolution": "48", "reduction": "true"}, None)
    members = list(space.sample(rng, MEMBERS))
    agree(trained_a_little(space), members, torch.randn((ROWS, 3, 48, 48), dtype=torch.float64))


def agree(supernet: Any, members: list[Architecture], pictures: torch.Tensor) -> None:
    """One pass of all members gives what each alone does."""
    parts = pictures.tensor_split(MEMBERS)
    alone = []
    for member, part in zip(members, parts, strict=True):
        supernet.activate(member)
        alone.append(supernet(part))
    expected = torch.cat(alone)
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    wanted = gradients(supernet)

    supernet.activate_many(members)
    logits = supernet(pictures)
    assert torch.allclose(logits, expected, rtol=1e-8, atol=1e-9)
    assert logits.std() > 1e-3  # the comparison is not one of zeros
    (logits * weights).sum().backward()
    found = gradients(supernet)
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, rtol=1e-7, atol=1e-8 * float(gradient.abs().max() + 1)), name
    assert sum(bool(gradient.any()) for gradient in found.values()) > len(found) / 4

    supernet.activate(members[0])
    with torch.no_grad():
        assert torch.allclose(supernet(parts[0]), expected[: len(parts[0])])
