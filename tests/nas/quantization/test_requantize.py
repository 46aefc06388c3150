"""Factors and products against published vectors, and against gemmlowp's definition in plain Python integers."""

import math
import random

import pytest
import torch

from nas.quantization.requantize import Requantization, multiplied, quantized_multiplier
from tests.nas.quantization.plain_integers import multiply_by_quantized_multiplier

# tensorflow/lite/kernels/internal/quantization_util_test.cc: QuantizeMultiplierSmallerThanOneExp,
# QuantizeMultiplierGreaterThanOne, QuantizeMultiplierArray, QuantizeMultiplierUnderflow
PUBLISHED_FACTORS = [
    (0.25, 1073741824, -1),
    (0.50 - 5e-9, 2147483627, -1),
    (0.50 - 1e-10, 1073741824, 0),
    (0.50, 1073741824, 0),
    (0.75, 1610612736, 0),
    (1 - 1e-9, 2147483646, 0),
    (1 + 1e-11, 1073741824, 1),
    (1.25, 1342177280, 1),
    (1.50, 1610612736, 1),
    (1.75, 1879048192, 1),
    (2 - 1e-9, 2147483647, 1),
    (2 - 1e-11, 1073741824, 2),
    (2.0, 1073741824, 2),
    (0.125, 1073741824, -2),
    (4.0, 1073741824, 3),
    (0.0, 0, 0),
    (math.ldexp(1.0, -31), 1073741824, -30),
    (math.ldexp(1.0, -32), 1073741824, -31),
    (math.ldexp(0.99, -32), 0, 0),
    (math.ldexp(1.0, -33), 0, 0),
]
# the same file, MultiplyByQuantizedMultiplierInt32
PUBLISHED_PRODUCTS = [
    (0, 0.1, 0),
    (1, 0.0, 0),
    (10000, 0.00097656, 10),
    (-10000, 0.00097656, -10),
    (-(2**31), 0.00001, -21475),
    (2**31 - 1, 0.00001, 21475),
]


@pytest.mark.parametrize(("factor", "mantissa", "exponent"), PUBLISHED_FACTORS)
def test_published_factors(factor: float, mantissa: int, exponent: int) -> None:
    assert quantized_multiplier(factor) == (mantissa, exponent)


@pytest.mark.parametrize("factor", [-0.1, math.inf, math.nan])
def test_what_is_no_factor(factor: float) -> None:
    with pytest.raises(ValueError, match="finite and 0 or more"):
        quantized_multiplier(factor)


@pytest.mark.parametrize(("value", "factor", "product"), PUBLISHED_PRODUCTS)
def test_published_products(value: int, factor: float, product: int) -> None:
    requantization = Requantization.of(torch.tensor([factor], dtype=torch.float64), 0, (-(2**31), 2**31 - 1))
    assert requantization.integers(torch.tensor([value], dtype=torch.int32)).tolist() == [product]


def test_the_largest_product() -> None:
    """The same test: the largest value by the largest mantissa, shifted by 3."""
    most = 2**31 - 1
    expected = round(most * most / 2**34)
    found = multiplied(torch.tensor([most, -most]), torch.tensor(most), torch.tensor(-3))
    assert found.tolist() == [expected, -expected]


def test_any_product_is_gemmlowps() -> None:
    rng = random.Random(0)
    edges = [0, 1, -1, 2**31 - 1, -(2**31), 2**30, -(2**30), 2**30 + 1, -(2**30) - 1]
    values = [*edges, *(rng.randrange(-(2**31), 2**31) >> rng.randrange(32) for _ in range(3000))]
    mantissas = [rng.randrange(2**30, 2**31) for _ in values]
    exponents = [rng.randrange(-31, 9) for _ in values]
    expected = [multiply_by_quantized_multiplier(*each) for each in zip(values, mantissas, exponents, strict=True)]
    found = multiplied(*(torch.tensor(each) for each in (values, mantissas, exponents)))
    assert found.tolist() == expected


def test_halves_go_away_from_zero_and_bounds_hold() -> None:
    half = Requantization.of(torch.tensor([0.5], dtype=torch.float64), 3, (-2, 5))
    assert half.integers(torch.tensor([1, -1, 3, -3, 100, -100])).tolist() == [4, 3, 5, 2, 5, -2]


def test_each_channel_has_its_own_factor() -> None:
    each = Requantization.of(torch.tensor([0.5, 0.25], dtype=torch.float64), 0, (-128, 127))
    assert each.integers(torch.full((1, 2, 1), 100), 1).flatten().tolist() == [50, 25]
