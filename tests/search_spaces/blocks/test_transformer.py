"""Relative positions, by known answers and against a vector for every pair; reductions of the tokens."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from predictors.hardware.price import price_table
from search_spaces.blocks.transformer import Attention, Reduction, TransformerNetwork, relative_places
from search_spaces.blocks.transformer_layers import transformer_table

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
    conv: Any = {"out": 8, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    layer: Any = {"heads": 2, "head_dim": 4, "mlp": 16}
    picture = torch.rand(1, 3, 8, 8)
    for layers, seen in (([], False), ([layer], True)):
        torch.manual_seed(0)
        network = TransformerNetwork([3, 8, 8], [conv], layers, 5, pool="patches", reach=3).eval()
        assert network.class_token is not None
        with torch.no_grad():
            before = network(picture)
            network.class_token += torch.randn_like(network.class_token)
            assert (not torch.allclose(network(picture), before, atol=1e-6)) == seen


@pytest.mark.parametrize(("runtime", "peak"), [("analytic", 192), ("c", 288)])
def test_memory_of_attention_with_relative_positions(runtime: str, peak: int) -> None:
    """4 tokens of 8 channels, 2 heads of 4, tables of 2 x 8 rows.

    Held: 32 bytes of the residual, 96 of queries, keys and values, 32 of scores. The mix takes 32 more: 192. Products
    with the tables, 2 x 4 x 16 = 128 bytes, are looked up right away and need nothing where an operator may write onto
    what it is added to; where not, they are the peak.
    """
    conv: Any = {"out": 8, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    layer: Any = {"heads": 2, "head_dim": 4, "mlp": 16}
    arguments: Any = {"input_size": [3, 8, 8], "tokenizer": [conv], "layers": [layer], "classes": 5, "pool": "mean"}
    table = transformer_table({**arguments, "reach": 3})
    assert int(price_table(table, runtime, schedule="none")["peak_sram_bytes"][0]) == peak


# residual spatial reduction


def still(dim: int, out: int, size: tuple[int, int], class_token: bool = False) -> Reduction:
    """One whose main path gives nothing, so that what stands beside is seen."""
    reduction = Reduction(dim, out, size, class_token)
    for part in (reduction.conv.weight, reduction.conv.bias, reduction.position):
        assert part is not None
        torch.nn.init.zeros_(part)
    if reduction.class_linear is not None:
        torch.nn.init.zeros_(reduction.class_linear.weight)
        torch.nn.init.zeros_(reduction.class_linear.bias)
    return reduction


def test_beside_stand_means_of_two_by_two_and_of_what_an_odd_side_leaves() -> None:
    tokens = torch.arange(9.0).reshape(1, 9, 1)
    with torch.no_grad():
        assert still(1, 1, (3, 3))(tokens, (3, 3)).flatten().tolist() == [2.0, 3.5, 6.5, 8.0]
        assert still(1, 1, (1, 4))(tokens[:, :4], (1, 4)).flatten().tolist() == [0.5, 2.5]


def test_more_channels_are_padded_with_zeros_also_the_class_tokens() -> None:
    tokens = torch.tensor([[[9.0, 8.0], [1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]])
    with torch.no_grad():
        made = still(2, 3, (2, 2), class_token=True)(tokens, (2, 2))
    assert made.tolist() == [[[9.0, 8.0, 0.0], [4.0, 5.0, 0.0]]]


def test_the_main_path_is_a_convolution_of_the_normed_map_and_a_position() -> None:
    """Its centre taken alone, each new token has every second normed one, and its own position."""
    reduction = still(2, 2, (3, 4))
    reduction.conv.weight.data[:, :, 1, 1] = torch.eye(2)
    reduction.position.data = torch.arange(8.0).reshape(1, 4, 2)
    tokens = torch.randn(1, 12, 2)
    means = still(2, 2, (3, 4))(tokens, (3, 4))
    with torch.no_grad():
        made = reduction(tokens, (3, 4)) - means
        assert torch.allclose(made, reduction.norm(tokens)[:, [0, 2, 8, 10]] + reduction.position, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "after", "said"),
    [
        (8, [3], "from 1 to 2; got"),
        (8, [2, 1], "rising"),
        (8, [0], "rising"),
        (8, [1, 1], "rising"),
        (4, [1], "one token"),
    ],
)
def test_reductions_that_cannot_be(size: int, after: list[int], said: str) -> None:
    conv: Any = {"out": 8, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    layer: Any = {"heads": 2, "head_dim": 4, "mlp": 16}
    reductions: Any = [{"after": number, "out": 8} for number in after]
    with pytest.raises(ValueError, match=said):
        TransformerNetwork([3, size, size], [conv], [layer] * 2, 5, reductions=reductions)


@pytest.mark.parametrize("pool", ["class", "patches", "mean", "sequence"])
def test_the_table_of_a_network_whose_tokens_gain_channels(pool: str) -> None:
    conv: Any = {"out": 8, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    layer: Any = {"heads": 2, "head_dim": 4, "mlp": 16}
    arguments: Any = {
        "input_size": [3, 20, 28],
        "tokenizer": [conv],
        "layers": [layer] * 3,
        "classes": 5,
        "pool": pool,
        "reach": 3,
        "reductions": [{"after": 1, "out": 12}, {"after": 2, "out": 16}],
    }
    network = TransformerNetwork(**arguments).eval()
    priced = price_table(transformer_table(arguments), "analytic", schedule="none")
    assert sum(parameter.numel() for parameter in network.parameters()) == priced["params"][0]
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 20, 28))
    assert counter.get_total_flops() == 2 * priced["macs"][0]
