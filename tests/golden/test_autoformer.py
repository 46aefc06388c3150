"""AutoFormer's released sub-networks against counts made from the public code (microsoft/Cream AutoFormer, MIT).

The counts follow its modules one by one and know nothing of ours. Published parameters: 5.7 M (paper; 5.8 M in the
README), 22.9 M, 53.7 M. The released T is not the paper's: with what its files say it has 5.87 M.
"""

from collections.abc import Sequence

import pytest

from nas.assembly import published_members
from predictors.hardware.price import price_table

# embed_dim, num_heads and mlp_ratio of experiments/subnet/AutoFormer-{T,S,B}.yaml
RELEASED = {
    "autoformer_tiny": (
        192, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3],
        [3.5, 3.5, 3.0, 3.5, 3.0, 3.0, 4.0, 4.0, 3.5, 4.0, 3.5, 4.0, 3.5],
    ),
    "autoformer_small": (
        384, [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
        [3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0],
    ),
    "autoformer_base": (
        576, [9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10],
        [3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5],
    ),
}  # fmt: skip
COUNTED = {
    "autoformer_tiny": (5_867_944, 1_343_754_752),
    "autoformer_small": (22_891_432, 4_891_942_656),
    "autoformer_base": (53_691_688, 11_242_082_048),
}
PUBLISHED_MILLIONS = {"autoformer_small": 22.9, "autoformer_base": 53.7}
PATCHES, TOKENS, TABLE_ROWS, HEAD_DIM, CLASSES = 196, 197, 30, 64, 1000


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def parameters(dim: int, heads: Sequence[int], ratios: Sequence[float]) -> int:
    """`get_sampled_params_numel`: the sampled modules, the class token, a position for each token."""
    total = linear(3 * 16 * 16, dim) + dim * (2 + PATCHES)
    for count, ratio in zip(heads, ratios, strict=True):
        width, hidden = HEAD_DIM * count, int(dim * ratio)
        tables = 2 * 2 * TABLE_ROWS * HEAD_DIM  # vertical and horizontal, for keys and for values
        total += linear(dim, 3 * width) + linear(width, dim) + tables
        total += linear(dim, hidden) + linear(hidden, dim) + 2 * 2 * dim
    return total + 2 * dim + linear(dim, CLASSES)


def macs(dim: int, heads: Sequence[int], ratios: Sequence[float]) -> int:
    """Convolution, linear layers, products; with the relative tables 60 products a query, and 60 for its values."""
    total = PATCHES * 3 * 16 * 16 * dim + dim * CLASSES
    for count, ratio in zip(heads, ratios, strict=True):
        width, hidden = HEAD_DIM * count, int(dim * ratio)
        total += TOKENS * (4 * dim * width + 2 * dim * hidden)
        total += 2 * TOKENS * TOKENS * width + 2 * TOKENS * 2 * TABLE_ROWS * width
    return total


@pytest.mark.parametrize("name", RELEASED)
def test_parameters_and_macs_to_the_unit(name: str) -> None:
    priced = price_table(published_members()[name][1].table(), "analytic", schedule="none")
    measured = int(priced["params"][0]), int(priced["macs"][0])
    assert measured == (parameters(*RELEASED[name]), macs(*RELEASED[name])) == COUNTED[name]


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_parameters_are_the_published_ones(name: str) -> None:
    assert round(COUNTED[name][0] / 1e6, 1) == PUBLISHED_MILLIONS[name]


def test_the_released_tiny_has_more_than_the_paper_says() -> None:
    """5.7 M in the paper, 5.8 M in the README; 5.77 M without its tables."""
    params, layers = COUNTED["autoformer_tiny"][0], len(RELEASED["autoformer_tiny"][1])
    assert params - layers * 2 * 2 * TABLE_ROWS * HEAD_DIM == 5_768_104
