"""What becomes of one picture before a network sees it: for `nas predict`, and as plain values for an export."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.training.data.pictures import EMPTY, MAX_BYTES, TOO_MANY_BYTES, UnreadablePictureError, decode_file
from search_spaces.core.errors import FitnasError, NotFound, WrongUse


def read_picture(path: str | Path, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """One picture file as uint8 (channels, height, width), exactly as training pictures are decoded.

    `NotFound` where there is no file, `WrongUse` with the reason where it is no picture that can be read.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise NotFound(f"the picture {str(path)!r} does not exist; check the name and the folder")
        byte_count = path.stat().st_size
    except (OSError, ValueError) as error:
        raise FitnasError(f"the picture cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    try:
        if not path.is_file():
            raise UnreadablePictureError("not a regular file")
        if byte_count == 0 or byte_count > MAX_BYTES:
            raise UnreadablePictureError(TOO_MANY_BYTES if byte_count else EMPTY)
        return decode_file(lambda: path.open("rb"), channels, size)
    except UnreadablePictureError as error:
        raise WrongUse(f"{str(path)!r}: {error.reason}; give a JPEG, a PNG or another common picture") from error


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
