"""Weight gradients of depthwise convolutions on maps smaller than their kernel: several times faster on a CPU.

There torch's CPU library (oneDNN) has no fast kernel: the gradient of a 7x7 kernel on 4x4 pixels takes fifty times as
long as the convolution itself (64 pictures, 144 channels, AVX2). The same sums are a depthwise convolution again, of
the padded input with the output's gradient as kernel, every picture a channel of its own; that one has a fast kernel.
Networks for small pictures spend most of a training step there. Measured: benchmarks/depthwise.py.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]


def fast_depthwise(device: torch.device) -> AbstractContextManager[object]:
    """In its body, convolutions that profit get the gradient of this file; elsewhere than on a CPU nothing changes."""
    return _DepthwiseMode() if device.type == "cpu" else nullcontext()


def profits(size: Sequence[int], kernel: Sequence[int]) -> bool:
    """Whether maps of `size` (height, width) are smaller than the kernel.

    >>> profits((4, 4), (5, 5)), profits((4, 4), (3, 3))
    (True, False)
    """
    return min(size) < max(kernel)


def weight_gradient(pictures: Tensor, gradient: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Of a depthwise convolution's weights (C, 1, *kernel), for pictures (N, C, H, W) and the output's gradient."""
    count, channels, height, width = pictures.shape
    spread = _spread(gradient, stride)
    if spread.shape[2:] == (1, 1):
        around = functional.pad(pictures, (padding[1], padding[1], padding[0], padding[0]))
        seen = around[:, :, : kernel[0], : kernel[1]]
        return torch.einsum("nchw,nc->chw", seen, spread[:, :, 0, 0])[:, None]
    joined = pictures.permute(2, 3, 0, 1).reshape(1, height, width, count * channels).permute(0, 3, 1, 2)
    weights = spread.reshape(count * channels, 1, *spread.shape[2:])
    sums = functional.conv2d(joined, weights, padding=padding, groups=count * channels)
    # rows and columns of the picture that a stride leaves over give sums beyond the kernel
    return sums[:, :, : kernel[0], : kernel[1]].reshape(count, channels, *kernel).sum(dim=0)[:, None]


def _spread(gradient: Tensor, stride: Pair) -> Tensor:
    """The gradient on the input's raster: zeros between its values."""
    if stride == (1, 1):
        return gradient
    count, channels, height, width = gradient.shape
    spread = gradient.new_zeros(count, channels, stride[0] * (height - 1) + 1, stride[1] * (width - 1) + 1)
    spread[:, :, :: stride[0], :: stride[1]] = gradient
    return spread


class _Depthwise(torch.autograd.Function):
    """`conv2d` with one filter a channel and no bias."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(pictures, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(pictures, weight, None, stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        pictures, weight = ctx.saved_tensors
        (gradient,) = gradients
        kernel = (weight.shape[2], weight.shape[3])
        below = None
        if ctx.needs_input_grad[0]:
            shape = (ctx.stride, ctx.padding, (1, 1), False, (0, 0), len(weight))
            below = torch.ops.aten.convolution_backward(gradient, pictures, weight, None, *shape, (True, False, False))[
                0
            ]
        return below, weight_gradient(pictures, gradient, kernel, ctx.stride, ctx.padding), None, None


class _DepthwiseMode(TorchFunctionMode):
    """Sees every call of torch in its body and replaces the convolutions in question, whoever calls them."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.conv2d and not kwargs:
            found = _depthwise_arguments(*args)
            if found is not None:
                return _Depthwise.apply(*found)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


def _depthwise_arguments(
    pictures: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor, Pair, Pair] | None:
    """Those of `_Depthwise` where the convolution is one that profits, else None."""
    one_filter_a_channel = groups > 1 and len(weight) == groups == pictures.shape[1]
    plain = bias is None and not isinstance(padding, str) and _pair(dilation) == (1, 1)
    if not (one_filter_a_channel and plain and weight.requires_grad and torch.is_grad_enabled()):
        return None
    if not profits(pictures.shape[2:], weight.shape[2:]):
        return None
    return pictures, weight, _pair(stride), _pair(padding)


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
