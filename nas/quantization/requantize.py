"""Real factors as integers: the arithmetic of TensorFlow Lite's reference kernels and TensorFlow Lite Micro.

A factor is a mantissa of 31 bits and a power of two. A product is rounded twice, which is TensorFlow Lite Micro's
default: once to the upper 32 bits, once by the power. Sources: gemmlowp fixedpoint.h; tensorflow/lite/kernels/internal
common.cc and quantization_util.cc.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

_MANTISSA_BITS = 31
_INT32 = 1 << 31


def quantized_multiplier(factor: float) -> tuple[int, int]:
    """Mantissa and exponent of a factor of 0 or more: factor = mantissa x 2^(exponent - 31), halves rounded up.

    The mantissa is in 2^30 .. 2^31 - 1. Factors below 2^-32 are 0, as in `QuantizeMultiplier`.

    >>> quantized_multiplier(0.25)
    (1073741824, -1)
    """
    if not 0 <= factor < math.inf:
        raise ValueError(f"a factor is finite and 0 or more, got {factor}")
    fraction, exponent = math.frexp(factor)
    mantissa = math.floor(fraction * (1 << _MANTISSA_BITS) + 0.5)
    if mantissa == 1 << _MANTISSA_BITS:
        mantissa, exponent = mantissa // 2, exponent + 1
    return (mantissa, exponent) if mantissa and exponent >= -_MANTISSA_BITS else (0, 0)


def _wrapped(values: Tensor) -> Tensor:
    """As 32 bits hold them."""
    return ((values + _INT32) & (2 * _INT32 - 1)) - _INT32


def multiplied(values: Tensor, mantissas: Tensor, exponents: Tensor) -> Tensor:
    """`MultiplyByQuantizedMultiplier`: int64 tensors that broadcast, `values` of int32's range, rounded twice.

    Halves go up in the first rounding and away from zero in the second. A shift to the left keeps the lower 32 bits.
    """
    shifted = _wrapped(values << exponents.clamp(min=0))
    # gemmlowp's division towards zero with a nudge of the product's sign is this shift
    high = (shifted * mantissas + (1 << (_MANTISSA_BITS - 1))) >> _MANTISSA_BITS
    right = (-exponents).clamp(min=0)
    mask = (torch.ones_like(right) << right) - 1
    threshold = (mask >> 1) + (high < 0).long()
    return (high >> right) + ((high & mask) > threshold).long()


@dataclass(frozen=True)
class Requantization:
    """From accumulators to integers of few bits.

    Attributes:
        multipliers, shifts: int32, `(channels,)` or `(1,)`; a shift above 0 goes to the left.
        zero_point: added behind.
        least, most: the bounds of the result, those of a fused activation among them.
    """

    multipliers: Tensor
    shifts: Tensor
    zero_point: int
    least: int
    most: int

    @classmethod
    def of(cls, factors: Tensor, zero_point: int, bounds: tuple[int, int]) -> Self:
        """For real factors `(channels,)`, float64."""
        pairs = [quantized_multiplier(factor) for factor in factors.tolist()]
        mantissas, exponents = torch.tensor(pairs, dtype=torch.int32).reshape(-1, 2).unbind(1)
        return cls(mantissas, exponents, zero_point, *bounds)

    def integers(self, accumulators: Tensor, channel_axis: int = -1) -> Tensor:
        """int32 in, int32 out, the same shape; the multipliers' channels are along `channel_axis`."""
        shape = [1] * accumulators.ndim
        shape[channel_axis] = -1
        mantissas, exponents = (each.long().reshape(shape) for each in (self.multipliers, self.shifts))
        scaled = multiplied(accumulators.long(), mantissas, exponents) + self.zero_point
        return scaled.clamp(self.least, self.most).int()
