"""WAV files of tones and chirps for tests."""

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile


def tone(hz: float, rate: int = 16_000, seconds: float = 1.0, level: float = 0.5) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)


def chirp(first: float, last: float, rate: int = 16_000, seconds: float = 1.0) -> NDArray[np.float64]:
    at = np.arange(round(rate * seconds)) / rate
    return 0.5 * np.sin(2 * np.pi * (first * at + (last - first) / (2 * seconds) * at**2))


def stored(samples: NDArray[np.float64], rate: int = 16_000, kind: str = "int16") -> bytes:
    """The bytes of a WAV file; `kind` is uint8, int16, int24, int32, float32 or float64."""
    if kind == "int24":
        return _stored_in_24_bits(samples, rate)
    if kind.startswith("float"):
        values = samples.astype(kind)
    elif kind == "uint8":
        values = np.rint(128 + 127 * samples).astype(np.uint8)
    else:
        values = np.rint(samples * np.iinfo(kind).max).astype(kind)
    stream = io.BytesIO()
    wavfile.write(stream, rate, values)
    return stream.getvalue()


def _stored_in_24_bits(samples: NDArray[np.float64], rate: int) -> bytes:
    values = np.rint(samples * (2**23 - 1)).astype("<i4").reshape(len(samples), -1)
    data = values.view(np.uint8).reshape(*values.shape, 4)[..., :3].tobytes()
    channels = values.shape[1]
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * 3 * channels, 3 * channels, 24)
    chunks = b"fmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def write(path: Path, samples: NDArray[np.float64], rate: int = 16_000, kind: str = "int16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stored(samples, rate, kind))
    return path


def write_words(folder: Path, each: int = 10, rate: int = 16_000, seconds: float = 1.0) -> Path:
    """Two classes that can be told apart: rising and falling chirps, each file its own."""
    rng = np.random.default_rng(0)
    for name, (first, last) in (("up", (300, 2_000)), ("down", (2_000, 300))):
        for index in range(each):
            sound = chirp(first * rng.uniform(0.8, 1.2), last * rng.uniform(0.8, 1.2), rate, seconds)
            noisy = np.clip(sound + 0.01 * rng.normal(size=len(sound)), -1, 1)
            write(folder / name / f"{index}.wav", noisy, rate)
    return folder
