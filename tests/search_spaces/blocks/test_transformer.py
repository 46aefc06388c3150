"""Relative positions, by known answers and against a vector for every pair."""

import pytest
import torch
from torch import Tensor

from search_spaces.blocks.transformer import Attention, TransformerNetwork, relative_places

CPU = torch.device("cpu")
ROWS = 6  # of a table of reach 2: the class token, then distances -2 to 2


def test_places_of_a_map_of_two_by_two() -> None:
    """Row of the query; vertical rows of all keys, then horizontal ones, ROWS further on. Distance 0 is row 3."""
    places = relative_places((2, 2), 2, class_token=True, device=CPU)
    assert places.tolist() == [
        [0, 0, 0, 0, 0, 6, 6, 6, 6, 6],
        [0, 3, 3, 4, 4, 6, 9, 10, 9, 10],
        [0, 3, 3, 4, 4, 6, 8, 9, 8, 9],
        [0, 2, 2, 3, 3, 6, 9, 10, 9, 10],
        [0, 2, 2, 3, 3, 6, 8, 9, 8, 9],
    ]


def test_what_is_farther_than_the_reach_counts_as_the_reach() -> None:
    horizontal = relative_places((1, 5), 2, class_token=False, device=CPU)[0, 5:]
    assert horizontal.tolist() == [ROWS + 3, ROWS + 4, ROWS + 5, ROWS + 5, ROWS + 5]


def every_pair(attention: Attention, x: Tensor, places: Tensor) -> Tensor:
    """The published formula: a vector for each pair, added to its key and to its value."""
    tokens, heads, dim = x.shape[1], attention.heads, attention.head_dim
    q, k, v = attention.qkv(x).reshape(len(x), tokens, 3, heads, dim).permute(2, 0, 3, 1, 4)
    assert attention.relative_keys is not None
    assert attention.relative_values is not None
    vertical, horizontal = places[:, :tokens], places[:, tokens:]
    of_keys, of_values = (
        part.tables.flatten(0, 1)[vertical] + part.tables.flatten(0, 1)[horizontal]
        for part in (attention.relative_keys, attention.relative_values)
    )
    keys = k[:, :, None, :, :] + of_keys
    weights = ((q[:, :, :, None, :] * keys).sum(-1) * dim**-0.5).softmax(-1)
    mixed = (weights[..., None] * (v[:, :, None, :, :] + of_values)).sum(-2)
    result: Tensor = attention.project(mixed.transpose(1, 2).flatten(2))
    return result


@pytest.mark.parametrize("class_token", [False, True])
def test_it_is_a_vector_for_every_pair(class_token: bool) -> None:
    """On a map that is not square and longer than the reach."""
    torch.manual_seed(0)
    attention = Attention(10, 3, 4, reach=2).double()
    for part in (attention.relative_keys, attention.relative_values):
        assert part is not None
        torch.nn.init.normal_(part.tables)
    x = torch.randn(2, 15 + class_token, 10, dtype=torch.float64)
    places = relative_places((3, 5), 2, class_token, CPU)
    with torch.no_grad():
        assert torch.allclose(attention(x, places), every_pair(attention, x, places))


def test_patches_are_classified_without_the_class_token() -> None:
    """A class token behind the last layer changes nothing; one before it does."""
    conv = {"out": 8, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    layer = {"heads": 2, "head_dim": 4, "mlp": 16}
    picture = torch.rand(1, 3, 8, 8)
    for layers, seen in (([], False), ([layer], True)):
        torch.manual_seed(0)
        network = TransformerNetwork([3, 8, 8], [conv], layers, 5, pool="patches", reach=3).eval()  # type: ignore[list-item]
        assert network.class_token is not None
        with torch.no_grad():
            before = network(picture)
            network.class_token += torch.randn_like(network.class_token)
            assert (not torch.allclose(network(picture), before, atol=1e-6)) == seen
