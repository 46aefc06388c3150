"""From the samples of a sound to the bytes of its log-mel spectrogram: the recipe, in NumPy alone.

This file is used by the training and written as it is into every export, so it imports nothing else. The steps, for
mono samples within -1 to 1 at the recipe's rate:

1. Length: the middle of what is longer; what is shorter gets silence at both ends, the odd sample at the end.
2. Frames of 40 ms, one every 20 ms; each loses its mean (the offset of a microphone), times a periodic Hann window.
3. Power spectrum of each frame, filled up with zeros to a power of two; a sine of full scale has power 1 at its peak.
4. Mel bands: triangles of height 1, equally wide in mel and each reaching to its neighbours' centres, from 20 Hz to
   half the rate; mel = 2595 log10(1 + f / 700) (O'Shaughnessy, Speech Communication, 1987; the HTK Book, "Filterbank
   Analysis").
5. Decibels, then bytes: -100 dB and less are 0, 0 dB and more are 255. These are constants, never of a data set, so
   that loudness stays information and a device needs no statistics.

The spectrogram then takes the size that the network sees: `fit` to the largest size that was trained on, `resize` to
the network's own. Sums are NumPy's own loops in double precision and integers, not those of a threaded library, so that
neither the number of threads nor of sounds changes a byte on one machine.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SLACK_ROWS = 8  # `fit` cuts fewer rows than these, for a size is rounded to multiples of eight


@dataclass(frozen=True)
class LogMel:
    """The constants of the recipe; `rate` in samples a second, `length` of a sound in samples."""

    rate: int
    length: int
    frame_ms: int = 40
    hop_ms: int = 20
    bands: int = 40
    lowest_hz: float = 20.0
    floor_db: float = -100.0
    top_db: float = 0.0

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return self.rate * self.frame_ms // 1000

    @property
    def hop(self) -> int:
        """Samples from the start of a frame to that of the next."""
        return self.rate * self.hop_ms // 1000

    @property
    def frames(self) -> int:
        """Frames of a sound; those that lie in it whole."""
        return 1 + (self.length - self.frame) // self.hop

    @property
    def fft_size(self) -> int:
        """The least power of two that holds a frame."""
        return 1 << (self.frame - 1).bit_length()


def spectrogram(samples: NDArray[np.floating] | NDArray[np.int16], recipe: LogMel) -> NDArray[np.uint8]:
    """The log-mel spectrogram of mono samples (n,) at the recipe's rate, uint8 (1, frames, bands).

    Floats are taken as they are, 16-bit integers divided by 32,768.
    """
    values = samples.astype(np.float64)
    if samples.dtype == np.int16:
        values /= 32_768.0
    power = power_spectra(centred(values, recipe.length), recipe)
    bands = np.einsum("fk,kb->fb", power, mel_weights(recipe))
    floor, top = recipe.floor_db, recipe.top_db
    decibels = 10.0 * np.log10(np.maximum(bands, 10.0 ** (floor / 10.0)))
    scaled = np.clip((decibels - floor) / (top - floor), 0.0, 1.0) * 255.0
    image: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return image[None]


def centred(samples: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Exactly `length` samples: the middle, or all with silence around them."""
    surplus = len(samples) - length
    if surplus >= 0:
        return samples[surplus // 2 : surplus // 2 + length]
    return np.pad(samples, (-surplus // 2, -surplus - -surplus // 2))


def power_spectra(samples: NDArray[np.float64], recipe: LogMel) -> NDArray[np.float64]:
    """The power of every whole frame of the samples at every frequency, (frames, fft_size // 2 + 1)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, recipe.frame)[:: recipe.hop]
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(recipe.frame) / recipe.frame)
    centred_frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    spectra = np.fft.rfft(centred_frames, recipe.fft_size)
    power: NDArray[np.float64] = (spectra.real**2 + spectra.imag**2) * (2.0 / window.sum()) ** 2
    return power


def mel(hz: NDArray[np.floating]) -> NDArray[np.float64]:
    """Frequencies on the mel scale."""
    return 2595.0 * np.log10(1.0 + hz.astype(np.float64) / 700.0)


@lru_cache(maxsize=8)
def mel_weights(recipe: LogMel) -> NDArray[np.float64]:
    """What each frequency gives to each band, (fft_size // 2 + 1, bands)."""
    lowest, highest = mel(np.array([recipe.lowest_hz, recipe.rate / 2.0]))
    centres, step = np.linspace(lowest, highest, recipe.bands + 2, retstep=True)
    bins = mel(np.arange(recipe.fft_size // 2 + 1) * (recipe.rate / recipe.fft_size))
    weights: NDArray[np.float64] = np.maximum(0.0, 1.0 - np.abs(bins[:, None] - centres[None, 1:-1]) / step)
    weights.setflags(write=False)  # shared by all who ask
    return weights


def fit(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A spectrogram (channels, frames, bands) at `size` = (height, width), each axis for itself.

    An axis that is less than eight too long loses that many whole rows, the odd one at its end; others are scaled.
    Nothing more is cut, as it would be from a picture: every band and every moment may carry the class.
    """
    for axis, wanted in ((1, size[0]), (2, size[1])):
        surplus = image.shape[axis] - wanted
        if 0 < surplus < min(_SLACK_ROWS, wanted):
            image = np.take(image, range(surplus // 2, surplus // 2 + wanted), axis)
    return resize(image, size)


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(channels, height, width) at `size`, bilinear with antialiasing, in integers.

    Bytes are those of torch's `interpolate(..., mode="bilinear", antialias=True)` on a CPU, which is Pillow's
    algorithm: columns first, weights as 16-bit integers, rounded after each axis.
    """
    for axis, wanted in ((2, size[1]), (1, size[0])):
        if image.shape[axis] != wanted:
            weights, bits = _resize_weights(image.shape[axis], wanted)
            summed = np.moveaxis(np.tensordot(image.astype(np.int64), weights, (axis, 1)), -1, axis)
            image = np.clip((summed + (1 << (bits - 1))) >> bits, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(image)


def _resize_weights(given: int, wanted: int) -> tuple[NDArray[np.int64], int]:
    """Weights (wanted, given) of one axis as integers, and how many bits they are scaled up by."""
    scale = given / wanted
    support = max(scale, 1.0)
    rows = np.zeros((wanted, given))
    for row in range(wanted):
        centre = scale * (row + 0.5)
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), given)
        distance = np.abs((np.arange(first, last) - centre + 0.5) / support)
        weights = np.maximum(0.0, 1.0 - distance)
        rows[row, first:last] = weights / weights.sum()
    largest, bits = rows.max(), 0
    while bits < 22 and int(0.5 + largest * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    return np.floor(rows * (1 << bits) + 0.5).astype(np.int64), bits
