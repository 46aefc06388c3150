"""One sound: from the bytes of a WAV file to mono samples at the recipe's rate, or a named reason. Knows SciPy.

- Read: PCM of 8, 16, 24 and 32 bits, floats of 32 and 64 bits, any number of channels, any rate of 1,000 to 768,000
  samples a second. Integers are divided by their greatest value, floats taken as they are. Channels: their mean.
- Refused: other encodings, empty files, no samples, more than 256 MiB, a file shorter than its header says (one of
  unknown length, as programs write into a pipe, ends where it ends), NaN and infinities.
- Rate: 16,000 a second; 8,000 where at least half of the files have less than 16,000. Others are resampled by a
  polyphase filter (SciPy's `resample_poly`).
- Length: that which 95 % of the files do not exceed, rounded to 0.1 s, at least 1 s and at most 4 s.
"""

import io
import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.training.data.log_mel import LogMel, fit, spectrogram
from nas.training.data.pictures import EMPTY, MAX_BYTES, NO_ACCESS, TOO_MANY_BYTES, UnreadablePictureError

BROKEN_SOUND = "broken, cut short or not a WAV"
FOREIGN_ENCODING = "a WAV encoding that is not read here: convert to PCM"
NO_SAMPLES = "holds no samples"
NOT_FINITE_SOUND = "holds NaN or an infinity"

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
_LEAST_RATE, _GREATEST_RATE = 1_000, 768_000
_UNKNOWN_BYTES = 0xFFFFFFFF
_TENTHS_LEAST, _TENTHS_MOST = 10, 40
_RAISED_BY_READERS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    NameError,  # SciPy's, where a chunk that it relies on is missing
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class SoundHeader(NamedTuple):
    """What the header of a WAV file says: samples of each channel, and samples a second."""

    samples: int
    rate: int


def read_sound_header(content: bytes) -> SoundHeader:
    """Length and rate of a WAV file; `UnreadablePictureError` with the reason where it cannot be used."""
    if len(content) == 0:
        raise UnreadablePictureError(EMPTY)
    order = {b"RIFF": "<", b"RIFX": ">"}.get(content[:4])
    if order is None or content[8:12] != b"WAVE":
        raise UnreadablePictureError(BROKEN_SOUND)
    shape: tuple[int, int] | None = None
    position = 12
    while position + 8 <= len(content):
        name, byte_count = struct.unpack_from(f"{order}4sI", content, position)
        position += 8
        if name == b"fmt ":
            shape = _format(content[position : position + byte_count], order)
        if name == b"data":
            return _data_header(shape, byte_count, len(content) - position)
        position += byte_count + byte_count % 2
    raise UnreadablePictureError(BROKEN_SOUND)


def _format(chunk: bytes, order: str) -> tuple[int, int]:
    """Bytes of one sample of all channels, and rate."""
    if len(chunk) < 16:
        raise UnreadablePictureError(BROKEN_SOUND)
    encoding, channels, rate, _, block, bits = struct.unpack_from(f"{order}HHIIHH", chunk)
    if encoding == _EXTENSIBLE and len(chunk) >= 26:
        (encoding,) = struct.unpack_from(f"{order}H", chunk, 24)
    if bits not in _BITS.get(encoding, ()) or block != channels * bits // 8:
        raise UnreadablePictureError(FOREIGN_ENCODING)
    if channels < 1 or not _LEAST_RATE <= rate <= _GREATEST_RATE:
        raise UnreadablePictureError(BROKEN_SOUND)
    return block, rate


def _data_header(shape: tuple[int, int] | None, declared: int, present: int) -> SoundHeader:
    if shape is None or (present < declared != _UNKNOWN_BYTES):
        raise UnreadablePictureError(BROKEN_SOUND)
    block, rate = shape
    samples = min(declared, present) // block
    if samples == 0:
        raise UnreadablePictureError(NO_SAMPLES)
    return SoundHeader(samples, rate)


def recipe_for(headers: Sequence[SoundHeader]) -> LogMel:
    """The recipe that suits a data set: its rate and its length, by the module's rules.

    >>> recipe_for([SoundHeader(24_000, 16_000)] * 19 + [SoundHeader(99_000, 44_100)]).length
    24000
    """
    rates = sorted(header.rate for header in headers)
    rate = 16_000 if rates[(len(rates) - 1) // 2] >= 16_000 else 8_000
    tenths = sorted((20 * header.samples + header.rate) // (2 * header.rate) for header in headers)
    reached = tenths[math.ceil(0.95 * len(tenths)) - 1]
    return LogMel(rate, rate * min(_TENTHS_MOST, max(_TENTHS_LEAST, reached)) // 10)


def decode_sound(open_file: Callable[[], BinaryIO], recipe: LogMel, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A WAV file as its log-mel spectrogram at `size`, uint8 (1, height, width).

    `UnreadablePictureError` with the reason where it cannot be decoded.
    """
    try:
        with open_file() as stream:
            content = stream.read(MAX_BYTES + 1)
    except PermissionError:
        raise UnreadablePictureError(NO_ACCESS) from None
    except _RAISED_BY_READERS:
        raise UnreadablePictureError(BROKEN_SOUND) from None
    if len(content) > MAX_BYTES:
        raise UnreadablePictureError(TOO_MANY_BYTES)
    return fit(spectrogram(samples_of(content, recipe), recipe), size)


def samples_of(content: bytes, recipe: LogMel) -> NDArray[np.float64]:
    """Mono samples (n,) of a WAV file at the recipe's rate; of a long file little more than the middle that is used."""
    header = read_sound_header(content)
    rate, raw = _read(content)
    wanted = -(-recipe.length * rate // recipe.rate) + rate // 5  # a tenth of a second more, where the filter begins
    surplus = max(0, header.samples - wanted)
    raw = raw[surplus // 2 : surplus // 2 + wanted]
    mono = _as_fractions(raw).reshape(len(raw), -1).mean(axis=1)
    if not np.isfinite(mono).all():
        raise UnreadablePictureError(NOT_FINITE_SOUND)
    return _resampled(mono, rate, recipe.rate)


def _read(content: bytes) -> tuple[int, NDArray[Any]]:
    """Rate and samples (n,) or (n, channels) as stored."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # chunks of metadata, and files of unknown length
            rate, raw = wavfile.read(io.BytesIO(content))
    except _RAISED_BY_READERS:
        raise UnreadablePictureError(BROKEN_SOUND) from None
    return int(rate), raw


def _as_fractions(raw: NDArray[Any]) -> NDArray[np.float64]:
    """Samples of any kind as fractions of full scale; 24 bits come in the upper bytes of 32."""
    if raw.dtype.kind == "u":
        return (raw.astype(np.float64) - 128.0) / 128.0
    if raw.dtype.kind == "i":
        return raw.astype(np.float64) / 2.0 ** (8 * raw.dtype.itemsize - 1)
    return raw.astype(np.float64)


def _resampled(samples: NDArray[np.float64], rate: int, wanted: int) -> NDArray[np.float64]:
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = math.gcd(rate, wanted)
    resampled: NDArray[np.float64] = resample_poly(samples, wanted // common, rate // common)
    return resampled


def read_sound(path: Path, recipe: LogMel, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The spectrogram of one file, exactly as in training; `UnreadablePictureError` where it cannot be read."""
    return decode_sound(lambda: path.open("rb"), recipe, size)
