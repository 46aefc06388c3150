import numpy as np

from predictors.hardware.counts import CODE_BYTES, counts, macs_by_slot, products_by_slot, weights_by_slot
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable


def one(kind: Kind, inside: int, out: int, side: int = 4, **more: int) -> LayerTable:
    return LayerTable.from_layers(
        [Layer("x", kind, NETWORK_INPUT, NO_INPUT, inside, out, side, side, side, side, **more)]
    )


def figures(table: LayerTable) -> tuple[int, int, dict[str, int]]:
    products = products_by_slot(table)
    counted = {name: int(values[0]) for name, values in counts(table, products).items()}
    return int(macs_by_slot(table, products)[0, 0]), int(weights_by_slot(table)[0, 0]), counted


def test_a_convolution() -> None:
    macs, weights, counted = figures(one(Kind.CONV, 3, 8, kernel=5, channel_params=2))
    assert weights == 25 * 3 * 8
    assert macs == weights * 16
    assert counted == {
        "params": weights + 2 * 8,
        "weight_bytes": weights,
        "flash_bytes": weights + 8 * 8 + CODE_BYTES,
    }


def test_a_grouped_convolution() -> None:
    assert figures(one(Kind.CONV, 12, 8, kernel=3, groups=4))[1] == 9 * 3 * 8


def test_a_depthwise_convolution() -> None:
    macs, weights, _ = figures(one(Kind.DEPTHWISE, 12, 12, kernel=3, groups=12))
    assert weights == 9 * 12
    assert macs == weights * 16


def test_a_linear_layer_on_tokens() -> None:
    table = LayerTable.from_layers(
        [Layer("x", Kind.LINEAR, NETWORK_INPUT, NO_INPUT, 32, 64, 50, 1, 50, 1, channel_params=1)]
    )
    macs, weights, counted = figures(table)
    assert (weights, macs) == (32 * 64, 32 * 64 * 50)
    assert counted["params"] == weights + 64


def test_matrix_products_multiply_and_weigh_nothing() -> None:
    """Attention of 3 heads, 32 channels each, over 50 tokens: 50 x 50 x 96 for Q.K, and as many with V."""
    tokens, heads, channels = 50, 3, 96
    for inside, out in ((channels, heads * tokens), (heads * tokens, channels)):
        size = (tokens, 1, tokens, 1)
        layer = Layer("x", Kind.MATMUL, NETWORK_INPUT, NO_INPUT, inside, out, *size, groups=heads)
        macs, weights, counted = figures(LayerTable.from_layers([layer]))
        assert macs == tokens * tokens * channels
        assert weights == counted["params"] == counted["weight_bytes"] == 0
        assert counted["flash_bytes"] == CODE_BYTES


def test_what_learns_nothing_counts_nothing() -> None:
    for kind in (Kind.POOL, Kind.ADD, Kind.MULTIPLY, Kind.CONCAT):
        assert figures(one(kind, 8, 8)) == (0, 0, {"params": 0, "weight_bytes": 0, "flash_bytes": CODE_BYTES})
    macs, _, counted = figures(one(Kind.NORM, 8, 8, channel_params=2))
    assert (macs, counted["params"], counted["flash_bytes"]) == (0, 16, CODE_BYTES + 8 * 8)


def test_figures_beyond_32_bits_are_exact() -> None:
    macs, weights, _ = figures(one(Kind.CONV, 9_999, 9_999, side=999, kernel=7))
    assert weights == 49 * 9_999**2 > 2**32
    assert macs == weights * 999**2


def test_absent_operators_count_nothing() -> None:
    conv = Layer("a", Kind.CONV, NETWORK_INPUT, NO_INPUT, 3, 8, 4, 4, 4, 4, kernel=3)
    table = LayerTable.stack([[conv, conv._replace(name="b", input_a=0, in_channels=8)], [conv]])
    assert weights_by_slot(table).tolist() == [[216, 576], [216, 0]]
    assert np.array_equal(counts(table, products_by_slot(table))["weight_bytes"], [792, 216])
