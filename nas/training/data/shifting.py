"""Random variations of spectrograms, and of grey arrays that may be some. torch is loaded on use.

- Spectrograms: a shift in time by up to a tenth, what it brings in repeats the edge; one mask over up to an eighth of
  the frames and one over up to an eighth of the bands, filled with the spectrogram's mean (time and frequency masking
  of Park et al., *SpecAugment*, arXiv 1904.08779).
- Grey arrays of which nobody says what they are: shifts by up to a tenth in both directions, edges repeated. That harms
  neither pictures nor spectrograms.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, Tensor

_SHIFT_PART, _MASK_PART = 10, 8


class Shifts:
    """A function on batches, as `Augmentation` is: uint8 (n, C, frames, bands) and a generator in, a new batch out."""

    flips = crops = colour = False

    def __init__(self, size: tuple[int, int], spectrograms: bool) -> None:
        self.size = size
        self.spectrograms = spectrograms
        self.rules: tuple[str, ...] = (
            ("shifts in time up to 10 %", "a mask over up to 1/8 of the frames and one over up to 1/8 of the bands")
            if spectrograms
            else ("shifts up to 10 %, nothing else: grey arrays that may be pictures or spectrograms",)
        )

    def __call__(self, images: "Tensor", generator: "Generator") -> "Tensor":
        """The batch, every spectrogram varied by itself."""
        import torch

        images = _shifted(images, 2, generator)
        if not self.spectrograms:
            return _shifted(images, 3, generator)
        hidden = _masks(images, 2, generator) | _masks(images, 3, generator)
        means = images.to(torch.float32).mean(dim=(1, 2, 3), keepdim=True).round_().to(torch.uint8)
        return torch.where(hidden, means, images)


def _draw(count: int, below: "Tensor | int", generator: "Generator") -> "Tensor":
    """`count` whole numbers from 0 to below `below`, int64 on the generator's device."""
    import torch

    shares = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64)
    return (shares * below).to(torch.int64)


def _shifted(images: "Tensor", axis: int, generator: "Generator") -> "Tensor":
    """Each picture moved along one axis by up to a tenth of it; the edge is repeated."""
    import torch

    length = images.shape[axis]
    most = max(1, round(length / _SHIFT_PART))
    moves = (_draw(len(images), 2 * most + 1, generator) - most).to(images.device)
    places = (torch.arange(length, device=images.device) - moves[:, None]).clamp_(0, length - 1)
    shape = [len(images), 1, 1, 1]
    shape[axis] = length
    return images.gather(axis, places.view(shape).expand(images.shape))


def _masks(images: "Tensor", axis: int, generator: "Generator") -> "Tensor":
    """For each picture a stretch of one axis, at random place and of random length: true where it is hidden."""
    import torch

    length = images.shape[axis]
    widths = _draw(len(images), length // _MASK_PART + 1, generator)
    starts = _draw(len(images), length - widths + 1, generator)
    places = torch.arange(length, device=generator.device)
    hidden = (places >= starts[:, None]) & (places < (starts + widths)[:, None])
    shape = [len(images), 1, 1, 1]
    shape[axis] = length
    return hidden.view(shape).to(images.device)
