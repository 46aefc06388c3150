"""TensorFlow Lite's int8 reference kernels, written down once more: slow, one Python integer at a time.

Sources: gemmlowp/fixedpoint/fixedpoint.h; tensorflow/lite/kernels/internal/reference/integer_ops/{conv,depthwise_conv,
fully_connected,add,mul,pooling}.h and reference/reduce.h; kernels/add.cc for the multipliers of an addition.
"""

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction


def c_division(a: int, b: int) -> int:
    """Towards zero, as in C."""
    return abs(a) // abs(b) * (1 if (a >= 0) == (b >= 0) else -1)


def as_int32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def saturating_rounding_doubling_high_mul(a: int, b: int) -> int:
    if a == b == -(2**31):
        return 2**31 - 1
    nudge = 1 << 30 if a * b >= 0 else 1 - (1 << 30)
    return c_division(a * b + nudge, 1 << 31)


def rounding_divide_by_pot(x: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if x & mask > threshold else 0)


def multiply_by_quantized_multiplier(x: int, mantissa: int, shift: int) -> int:
    left, right = max(shift, 0), max(-shift, 0)
    return rounding_divide_by_pot(saturating_rounding_doubling_high_mul(as_int32(x << left), mantissa), right)


def quantize_multiplier(factor: Fraction) -> tuple[int, int]:
    """From an exact factor."""
    if factor == 0:
        return 0, 0
    exponent = 0
    while factor * Fraction(2) ** -exponent >= 1:
        exponent += 1
    while factor * Fraction(2) ** -exponent < Fraction(1, 2):
        exponent -= 1
    mantissa = math.floor(factor * Fraction(2) ** (31 - exponent) + Fraction(1, 2))
    if mantissa == 1 << 31:
        mantissa, exponent = mantissa // 2, exponent + 1
    return (mantissa, exponent) if exponent >= -31 else (0, 0)


def scaled(x: int, factor: Fraction) -> int:
    return multiply_by_quantized_multiplier(x, *quantize_multiplier(factor))


def clamp(value: int, bounds: tuple[int, int]) -> int:
    return min(max(value, bounds[0]), bounds[1])


Map = list[list[list[int]]]  # channels, rows, columns


def convolution(
    x: Map,
    zero_in: int,
    weights: list[list[list[list[int]]]],
    bias: Sequence[int],
    factors: Sequence[Fraction],
    zero_out: int,
    bounds: tuple[int, int],
    stride: int,
    padding: int,
    groups: int,
) -> Map:
    """ConvPerChannel, and with as many groups as channels DepthwiseConvPerChannel."""
    height, width, kernel = len(x[0]), len(x[0][0]), len(weights[0][0])
    per_group_in, per_group_out = len(x) // groups, len(weights) // groups
    rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
    found = [[[0] * columns for _ in range(rows)] for _ in weights]
    for out, row, column in itertools.product(range(len(weights)), range(rows), range(columns)):
        total = bias[out]
        for channel, dy, dx in itertools.product(range(per_group_in), range(kernel), range(kernel)):
            y, at = row * stride - padding + dy, column * stride - padding + dx
            if 0 <= y < height and 0 <= at < width:
                value = x[out // per_group_out * per_group_in + channel][y][at]
                total += weights[out][channel][dy][dx] * (value - zero_in)
        found[out][row][column] = clamp(scaled(total, factors[out]) + zero_out, bounds)
    return found


Scales = tuple[float, float, float]  # of both inputs and the output
Zeros = tuple[int, int, int]


def addition(a: int, b: int, scales: Scales, zeros: Zeros, bounds: tuple[int, int]) -> int:
    """AddFunc; the factors are computed in double precision, as there."""
    twice_most = 2 * max(scales[0], scales[1])
    first = scaled((a - zeros[0]) * (1 << 20), Fraction(scales[0] / twice_most))
    second = scaled((b - zeros[1]) * (1 << 20), Fraction(scales[1] / twice_most))
    return clamp(scaled(first + second, Fraction(twice_most / ((1 << 20) * scales[2]))) + zeros[2], bounds)


def product(a: int, b: int, scales: Scales, zeros: Zeros, bounds: tuple[int, int]) -> int:
    """MulElementwise."""
    factor = Fraction(scales[0] * scales[1] / scales[2])
    return clamp(scaled((a - zeros[0]) * (b - zeros[1]), factor) + zeros[2], bounds)


def mean(values: Sequence[int], zero_in: int, factor: Fraction, zero_out: int, bounds: tuple[int, int]) -> int:
    """QuantizedMeanOrSum."""
    mantissa, exponent = quantize_multiplier(factor)
    shift = min(int(math.log2(len(values))), 32, 31 + exponent)
    mantissa = c_division(mantissa << shift, len(values))
    total = sum(values) - zero_in * len(values)
    return clamp(multiply_by_quantized_multiplier(total, mantissa, exponent - shift) + zero_out, bounds)


def average(values: Sequence[int], bounds: tuple[int, int]) -> int:
    """AveragePool."""
    total, count = sum(values), len(values)
    half = count // 2 if total > 0 else -(count // 2)
    return clamp(c_division(total + half, count), bounds)
