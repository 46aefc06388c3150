"""Integers for real numbers: value = scale x (integer - zero point).

Sources: Jacob et al. (arXiv 1712.05877); TensorFlow Lite's 8-bit specification for ranges and symmetric weights.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.quantization.ranges import Range
from search_spaces.core.policy import FLOAT_BITS

_SMALLEST_SCALE = 1e-9
_MOST_BIAS = 1 << 30  # of int32; the rest is for the products


@dataclass(frozen=True)
class Affine:
    """How a tensor is kept: signed integers of `bits`, one scale for all."""

    bits: int
    scale: float
    zero_point: int

    @property
    def least(self) -> int:
        """The smallest integer."""
        return -(1 << (self.bits - 1))

    @property
    def most(self) -> int:
        """The largest integer."""
        return (1 << (self.bits - 1)) - 1

    def rounded(self, values: Tensor) -> Tensor:
        """Real values as those that are kept, ties to the even integer; gradients pass where nothing is cut off."""
        return torch.fake_quantize_per_tensor_affine(values, self.scale, self.zero_point, self.least, self.most)

    def round_(self, values: Tensor) -> Tensor:
        """The same in place and without gradients, ten times faster."""
        least, most = self.least - self.zero_point, self.most - self.zero_point
        return values.mul_(1.0 / self.scale).round_().clamp_(least, most).mul_(self.scale)

    @property
    def is_positive(self) -> bool:
        """Whether nothing below 0 is kept."""
        return self.zero_point == self.least

    def integers(self, values: Tensor) -> Tensor:
        """The integers, as int32."""
        counted = torch.round(values.double() / self.scale) + self.zero_point
        return counted.clamp(self.least, self.most).to(torch.int32)

    def real(self, integers: Tensor) -> Tensor:
        """What integers stand for, float32."""
        return ((integers - self.zero_point).double() * self.scale).float()


def activation(found: Range, bits: int, scheme: str = "asymmetric") -> Affine:
    """Of an activation; symmetric ones have the zero point 0, and 0.0 is always exact. An empty range gives scale 1."""
    least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if scheme == "symmetric":
        reach = max(-found.low, found.high)
        return Affine(bits, _float32(reach / most) if reach else 1.0, 0)
    span = found.high - found.low
    if span == 0:
        return Affine(bits, 1.0, 0)
    scale = _float32(max(span / (most - least), _SMALLEST_SCALE))
    zero_point = round(least - found.low / scale)
    return Affine(bits, scale, int(min(max(zero_point, least), most)))


@dataclass(frozen=True)
class Weights:
    """Symmetric integers (int8, shape of the weights) of `bits`, and float32 scales `(channels,)` or `(1,)`."""

    bits: int
    integers: Tensor
    scales: Tensor

    def real(self) -> Tensor:
        """What they stand for."""
        return self.integers.float() * self.scales.reshape(-1, *[1] * (self.integers.ndim - 1))


def quantized_weights(
    weight: Tensor, bits: int, per_channel: bool = True, least_scales: Tensor | None = None
) -> Weights | None:
    """A weight `(channels, ...)` in few bits, without the least integer, as TensorFlow Lite asks; None for floats.

    `least_scales` `(channels,)`: scales are no smaller, see `scales_for_biases`. A channel of zeros without one gets
    the scale 1.
    """
    if bits >= FLOAT_BITS:
        return None
    most = (1 << (bits - 1)) - 1
    flat = weight.flatten(1).abs().amax(dim=1) / most
    if least_scales is not None:
        flat = torch.maximum(flat, least_scales)
    flat = flat if per_channel else flat.amax().reshape(1)
    scales = torch.where(flat > 0, flat, torch.ones_like(flat))
    integers = torch.round(weight / scales.reshape(-1, *[1] * (weight.ndim - 1))).clamp(-most, most)
    return Weights(bits, integers.to(torch.int8), scales)


def scales_for_biases(bias: Tensor, input_scale: float) -> Tensor:
    """The least scales `(channels,)` of weights at which biases, as multiples of input scale x weight scale, stay
    within 31 bits: a channel whose weights died, but not its bias, would overflow.
    """
    return (bias.detach().abs().double() / (input_scale * _MOST_BIAS)).float()


def _float32(value: float) -> float:
    """Rounded as every runtime keeps a scale."""
    return float(torch.tensor(value, dtype=torch.float32))
