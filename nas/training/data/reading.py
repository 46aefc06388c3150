"""The records of a data set and their pixels, wherever they come from."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.training.data import log_mel
from nas.training.data.arrays import read_arrays
from nas.training.data.content import SPECTROGRAMS
from nas.training.data.decoding import decode_files
from nas.training.data.description import DataDescription
from nas.training.data.digits import read_digits
from nas.training.data.layout import ALL
from nas.training.data.pictures import fit
from nas.training.data.splitting import Record, content_hash
from search_spaces.core.errors import FitnasError

_INLINE_PIXELS = 100_000_000  # 0.2 s of large JPEGs, 2.5 s of PNGs; starting workers takes half a second
_INLINE_SAMPLES = 20_000_000  # about 2 s of spectrograms


def records_of(description: DataDescription) -> tuple[Record, ...]:
    """Every usable picture of the data set; those of digits are looked up now."""
    if description.kind != "digits":
        return description.records
    images, labels = read_digits()
    records = tuple(
        Record(f"digits[{index}]", int(label), ALL, hashlib.sha256(image.tobytes()).hexdigest(), image.size)
        for index, (image, label) in enumerate(zip(images, labels, strict=True))
    )
    found = content_hash((record.part, str(record.label), record.digest) for record in records)
    if found != description.hash:
        raise FitnasError(
            f"the digits of this scikit-learn differ from the known ones (hash {found[:12]}, expected "
            f"{description.hash[:12]}); install another version of scikit-learn"
        )
    return records


def read_pictures(
    description: DataDescription, records: Sequence[Record], size: tuple[int, int], workers: int
) -> Iterator[NDArray[np.uint8] | str]:
    """Each picture as uint8 (channels, height, width), or the reason why it is left out, in the order of `records`.

    Sets of files with fewer than 100 million pixels (sounds: 20 million samples) are decoded here, larger ones by
    `workers` processes.
    """
    names = [record.name for record in records]
    if description.kind in ("folder", "zip"):
        recipe, source = description.recipe, Path(description.source)
        limit = _INLINE_PIXELS if recipe is None else _INLINE_SAMPLES
        used = 0 if sum(record.pixels for record in records) < limit else workers
        return decode_files(source, names, description.facts.channels, size, used, recipe)
    fitted = log_mel.fit if description.content == SPECTROGRAMS else fit_pixels
    return (fitted(image, size) for image in _images(description, names))


def _images(description: DataDescription, names: list[str]) -> Iterator[NDArray[np.uint8]]:
    """The named pictures of an array, uint8 (channels, height, width) at their native size."""
    if description.kind == "digits":
        arrays = {"digits": read_digits()[0]}
    else:
        arrays = {part.key: part.images for part in read_arrays(Path(description.source))}
    for name in names:
        key, _, index = name.removesuffix("]").rpartition("[")
        yield arrays[key][int(index)]


def fit_pixels(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A uint8 picture (channels, height, width) at `size`, by the rule for files."""
    if image.shape[1:] == size:
        return image
    from PIL import Image

    return fit(Image.fromarray(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))), size)
