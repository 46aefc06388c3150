"""What becomes of one picture, sound or row of an array before a network sees it: for `nas predict`, and as plain
values for an export.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nas.training.data import log_mel
from nas.training.data.arrays import read_rows
from nas.training.data.content import PICTURES, SOUNDS, SPECTROGRAMS
from nas.training.data.log_mel import LogMel
from nas.training.data.pictures import EMPTY, MAX_BYTES, TOO_MANY_BYTES, UnreadablePictureError, decode_file
from nas.training.data.reading import fit_pixels
from nas.training.data.sounds import read_sound
from search_spaces.core.errors import FitnasError, NotFound, WrongUse

_ROWS = re.compile(r"(?P<file>.*\.npz)(:(?P<key>[^:]+)(:(?P<row>\d{1,9}))?)?", re.IGNORECASE | re.DOTALL)
_ROWS_HINT = "rows of an .npz, such as words.npz:x_test:0"


@dataclass(frozen=True)
class Reading:
    """How files become the bytes that a network sees, exactly as in training.

    Attributes:
        channels, size: the network's input, `size` = (height, width).
        content: what it was trained on, as in `DataDescription`.
        trained_at: the size at which the training held its spectrograms; they take it before `size`.
        recipe: how sounds become spectrograms.
    """

    channels: int
    size: tuple[int, int]
    content: str = PICTURES
    trained_at: tuple[int, int] | None = None
    recipe: LogMel | None = None

    @property
    def spectral(self) -> bool:
        """Whether the network sees spectrograms."""
        return self.content in (SOUNDS, SPECTROGRAMS)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], channels: int, size: tuple[int, int]) -> Self:
        """From `data.json` or `preprocessing.json`; `trained_at` is taken from there where it is written."""
        recipe, trained_at = document.get("recipe"), document.get("trained_at")
        return cls(
            channels,
            size,
            document.get("content", PICTURES),
            (int(trained_at[0]), int(trained_at[1])) if trained_at else None,
            LogMel(**recipe) if recipe else None,
        )

    def inputs(self, source: str | Path) -> list[tuple[str, NDArray[np.uint8]]]:
        """Names and inputs, uint8 (channels, height, width): one of a picture or sound; of `X.npz:KEY:ROW` that row,
        of `X.npz:KEY` and `X.npz` all.

        `NotFound` where there is no such file, array or row; `WrongUse` where it cannot be read.
        """
        rows = _ROWS.fullmatch(str(source))
        if rows and self.content != SOUNDS:
            row = int(rows["row"]) if rows["row"] else None
            found = read_rows(Path(rows["file"]), rows["key"], row)
            return [(f"{rows['file']}:{name}", self._of_row(name, image)) for name, image in found]
        if self.content == SPECTROGRAMS:
            raise WrongUse(
                f"{str(source)!r}: this network takes spectrograms that were made elsewhere; give {_ROWS_HINT}"
            )
        if self.recipe is not None:
            recipe, at = self.recipe, self.trained_at or self.size
            image = _read_file(Path(source), "sound", "a WAV file", lambda path: read_sound(path, recipe, at))
            return [(str(source), log_mel.resize(image, self.size))]
        return [(str(source), read_picture(source, self.channels, self.size))]

    def _of_row(self, name: str, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if len(image) != self.channels:
            raise WrongUse(f"{name} has {len(image)} channels, the network takes {self.channels}; convert it")
        if self.content == SPECTROGRAMS:
            return log_mel.resize(log_mel.fit(image, self.trained_at or self.size), self.size)
        return fit_pixels(image, self.size)


def read_picture(path: str | Path, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """One picture file as uint8 (channels, height, width), exactly as training pictures are decoded.

    `NotFound` where there is no file, `WrongUse` with the reason where it is no picture that can be read.
    """
    advice = "a JPEG, a PNG or another common picture"
    return _read_file(Path(path), "picture", advice, lambda path: decode_file(lambda: path.open("rb"), channels, size))


def _read_file(path: Path, noun: str, advice: str, read: Callable[[Path], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """What `read` makes of a file; errors that name it, and what to give instead."""
    try:
        if not path.exists():
            raise NotFound(f"the {noun} {str(path)!r} does not exist; check the name and the folder")
        byte_count = path.stat().st_size
    except (OSError, ValueError) as error:
        raise FitnasError(f"the {noun} cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    try:
        if not path.is_file():
            raise UnreadablePictureError("not a regular file")
        if byte_count == 0 or byte_count > MAX_BYTES:
            raise UnreadablePictureError(TOO_MANY_BYTES if byte_count else EMPTY)
        return read(path)
    except UnreadablePictureError as error:
        raise WrongUse(f"{str(path)!r}: {error.reason}; give {advice}") from error


def preprocessing(
    channels: int,
    size: tuple[int, int],
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The steps from a file to a network's input, as JSON values, in the order in which they are done."""
    height, width = size
    steps: list[dict[str, Any]] = [
        {"step": "decode", "frame": 0, "exif_orientation": True, "jpeg_scaled_decoding_min_side": 2 * max(size)},
        {"step": "composite", "background": [255, 255, 255]},
        {"step": "convert", "colour": "grey" if channels == 1 else "RGB", "weights": "ITU-R 601-2 luma"},
        {"step": "resize", "rule": "cover", "filter": "bilinear", "antialias": True, "height": height, "width": width},
        {"step": "crop", "where": "centre", "height": height, "width": width},
        {"step": "scale", "divide_by": 255},
    ]
    if mean is not None and std is not None:
        steps.append({"step": "normalise", "mean": list(mean), "std": list(std)})
    return {"channels": channels, "height": height, "width": width, "layout": "NCHW", "steps": steps}
