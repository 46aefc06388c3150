"""Random brightness, contrast and saturation of a batch, and flips, each picture by itself. torch is loaded on use.

What each does to a picture is as in torchvision's `ColorJitter`, but all pictures at once: picture by picture, colours
were half of the time that a network for small pictures spends on variations. The order of the three is drawn for the
batch. Random numbers come from torch's global CPU generator, whose state the caller looks after.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_CHANGE = 0.2
_LUMA = (0.2989, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601


def varied_colours(images: "Tensor") -> "Tensor":
    """uint8 (n, 3, H, W) with brightness, contrast and saturation changed by up to 20 %; a new batch."""
    import torch

    factors = torch.empty(3, len(images), 1, 1, 1).uniform_(1 - _CHANGE, 1 + _CHANGE)
    return blended(images, factors, torch.randperm(3).tolist())


def blended(images: "Tensor", factors: "Tensor", order: list[int]) -> "Tensor":
    """Brightness, contrast, saturation by `factors` (3, n, 1, 1, 1), one after the other in the `order` of 0, 1, 2.

    Each mixes the picture with black, with the mean of its grey values, with its grey picture; 1 leaves it as it is.
    """
    import torch

    factors = factors.to(images.device)
    result = images.to(torch.float32)
    for which in order:
        mixed = result * factors[which]
        if which:
            grey = _grey(result)
            against = grey.mean(dim=(2, 3), keepdim=True) if which == 1 else grey
            mixed += (1 - factors[which]) * against
        result = mixed.clamp_(0, 255)
    return result.to(torch.uint8)


def _grey(images: "Tensor") -> "Tensor":
    """(n, 1, H, W)."""
    red, green, blue = images.unbind(1)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue)[:, None]


def flipped(images: "Tensor") -> "Tensor":
    """Half of the pictures (n, C, H, W), drawn by lot, with left and right exchanged."""
    import torch

    chosen = torch.rand(len(images), 1, 1, 1).to(images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)
