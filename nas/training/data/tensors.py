"""Batches of uint8 pictures as torch tensors: resized, and as a network's normalised input. torch is loaded on use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def resize(images: "Tensor", size: tuple[int, int]) -> "Tensor":
    """uint8 (n, C, H, W) at `size` = (height, width), bilinear with antialiasing; the same tensor where it has it.

    On a CPU torch computes with bytes, elsewhere with floats that are rounded: values may differ by one.
    """
    import torch
    from torch.nn import functional

    if tuple(images.shape[2:]) == tuple(size):
        return images
    if len(images) == 0:
        return images.new_empty((0, images.shape[1], *size))
    if images.device.type == "cpu":
        return functional.interpolate(images, size, mode="bilinear", antialias=True)
    floats = functional.interpolate(images.to(torch.float32), size, mode="bilinear", antialias=True)
    return floats.round_().clamp_(0, 255).to(torch.uint8)


def to_float(images: "Tensor", mean: Sequence[float], std: Sequence[float]) -> "Tensor":
    """uint8 (n, C, H, W) as float32 normalised by channel: (value / 255 - mean) / std, on the same device."""
    import torch

    shape = (1, len(mean), 1, 1)
    scale = torch.tensor([1 / (255.0 * one) for one in std], dtype=torch.float32, device=images.device).view(shape)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], dtype=torch.float32, device=images.device)
    return torch.addcmul(shift.view(shape), images.to(torch.float32), scale)
