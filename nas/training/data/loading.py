"""Data sets in memory: decoded once at the largest resolution, split, cached; test only for those who ask for it."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.training.data.cache import LARGE_BYTES, Decoded, read_cached, stream_to_cache, write_cached
from nas.training.data.description import DataDescription, printable
from nas.training.data.layout import TEST, TRAIN, VALIDATION
from nas.training.data.reading import read_pictures, records_of
from nas.training.data.scanning import Progress
from nas.training.data.splitting import Record, Split, split
from search_spaces.core.errors import FitnasError, WrongUse

_DECODING_RULES = 1  # to be raised when `pictures` changes what it makes of a file: older caches are then not used
_LARGEST_SIDE = 4096


class Labelled(NamedTuple):
    """Pictures uint8 (n, channels, height, width) and labels int64 (n,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """A data set that is ready to train on, its parts in an order shuffled by the seed.

    Attributes:
        train, validation: pictures and labels. Arrays of more than 256 MiB are memory-mapped and read-only.
        test: None unless it was asked for: the search must not be able to see it.
        mean, std: per channel over `train`, of pixels as fractions 0-1; std is at least 1/255.
        size: (height, width) in pixels.
        class_names: by label.
        hash: 64 hex digits over the content and the split (all three parts, also where test is not loaded).
        skipped: pictures whose header was sound but that could not be decoded, names by reason.
        notes: sentences on what was kept but should be known.
    """

    train: Labelled
    validation: Labelled
    test: Labelled | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]
    class_names: tuple[str, ...]
    seed: int
    hash: str
    skipped: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, tuple[int, ...]]:
        """Pictures per class of every loaded part."""
        parts = {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}
        return {name: _counts(part.labels, len(self.class_names)) for name, part in parts.items() if part is not None}


def load(
    description: DataDescription,
    size: tuple[int, int],
    seed: int = 0,
    *,
    include_test: bool = False,
    cache: Path | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Pictures:
    """Decodes a data set at `size` = (height, width) and splits it by `seed`.

    Args:
        description: what `describe` returned.
        size: the largest resolution that will be needed, in pixels.
        seed: decides the split and the order.
        include_test: whether the test part is decoded and returned at all.
        cache: a folder for decoded pictures; sets of more than 256 MiB are then never whole in memory.
        workers: processes that decode large sets of files; the result does not depend on it.
        progress: called with (pictures done, pictures).

    Raises:
        WrongUse: an impossible size; a class of which no training picture, or nothing of a part, can be decoded.
        FitnasError: the disk is full while a large set is written.
    """
    _check_size(size)
    records = records_of(description)
    parts = split(records, description.class_names, seed)
    members = {TRAIN: parts.train, VALIDATION: parts.validation, **({TEST: parts.test} if include_test else {})}
    report = _progress_over(progress, sum(len(indices) for indices in members.values()))
    decoded: dict[str, Decoded] = {}
    for part, indices in members.items():
        path = _path(cache, parts.hash, seed, part, size, description)
        decoded[part] = _part(description, [records[index] for index in indices], size, workers, path, report)
    _refuse_gaps(description, decoded)
    labelled = {part: Labelled(result.images, result.labels) for part, result in decoded.items()}
    mean, std = _mean_and_std(labelled[TRAIN].images)
    return Pictures(
        train=labelled[TRAIN],
        validation=labelled[VALIDATION],
        test=labelled.get(TEST),
        mean=mean,
        std=std,
        size=size,
        class_names=description.class_names,
        seed=seed,
        hash=parts.hash,
        skipped=_merged(result.skipped for result in decoded.values()),
        notes=parts.notes,
    )


def split_of(description: DataDescription, seed: int) -> Split:
    """The split that `load` uses, without decoding anything (digits are read)."""
    return split(records_of(description), description.class_names, seed)


def _check_size(size: tuple[int, int]) -> None:
    if not all(1 <= side <= _LARGEST_SIDE for side in size):
        raise WrongUse(f"pictures of {size[0]} x {size[1]} pixels: each side must be 1 to {_LARGEST_SIDE:,}")


def _path(
    cache: Path | None, split_hash: str, seed: int, part: str, size: tuple[int, int], description: DataDescription
) -> Path | None:
    """The cache file of a part: its name changes with the pictures, the split, the size and the decoder."""
    if cache is None:
        return None
    from PIL import __version__ as pillow_version

    recipe = None if description.recipe is None else asdict(description.recipe)
    key = json.dumps([_DECODING_RULES, pillow_version, split_hash, seed, description.content, recipe])
    return cache / f"{part}-{size[0]}x{size[1]}-{sha256(key.encode()).hexdigest()[:16]}.npy"


def _part(
    description: DataDescription,
    records: Sequence[Record],
    size: tuple[int, int],
    workers: int,
    path: Path | None,
    report: Callable[[int], None],
) -> Decoded:
    """One part, from the cache where it holds it."""
    cached = read_cached(path) if path else None
    if cached is not None and cached.images.shape[1:] == (description.facts.channels, *size):
        report(len(records))
        return cached

    def decoded() -> Iterator[tuple[NDArray[np.uint8] | str, int, str]]:
        pictures = read_pictures(description, records, size, workers)
        for record, picture in zip(records, pictures, strict=True):
            yield picture, record.label, printable(record.name)
            report(1)

    shape = (len(records), description.facts.channels, *size)
    if path and math.prod(shape) > LARGE_BYTES:
        return stream_to_cache(path, shape, decoded())
    result = _collect(shape, decoded())
    if path:
        write_cached(path, result)
    return result


def _collect(shape: tuple[int, int, int, int], pictures: Iterator[tuple[NDArray[np.uint8] | str, int, str]]) -> Decoded:
    """The pictures that could be decoded, in memory."""
    try:
        images = np.empty(shape, dtype=np.uint8)
    except MemoryError as error:
        raise FitnasError(
            f"{shape[0]:,} pictures of {shape[2]} x {shape[3]} need {math.prod(shape):,} bytes of memory, more than "
            "there is; choose a lower resolution or let them be cached on a disk"
        ) from error
    labels: list[int] = []
    skipped: dict[str, list[str]] = {}
    for picture, label, name in pictures:
        if isinstance(picture, str):
            skipped.setdefault(picture, []).append(name)
        else:
            images[len(labels)] = picture
            labels.append(label)
    return Decoded(images[: len(labels)], np.array(labels, dtype=np.int64), skipped)


def _refuse_gaps(description: DataDescription, parts: Mapping[str, Decoded]) -> None:
    """A class that cannot be learnt because its pictures are broken is an error, not a class fewer."""
    counts = _counts(parts[TRAIN].labels, len(description.class_names))
    lost = [name for name, count in zip(description.class_names, counts, strict=True) if not count]
    empty = [part for part, result in parts.items() if not len(result.labels)]
    if lost or empty:
        what = f"class '{lost[0]}' in train" if lost else empty[0]
        left_out = _merged(result.skipped for result in parts.values())
        why = "; ".join(f"{len(names):,} x {reason}, for example {names[0]}" for reason, names in left_out.items())
        raise WrongUse(f"{description.source}: nothing is left of {what} ({why}); replace those pictures")


def _mean_and_std(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Per channel, from exact counts of the 256 values, so that neither order nor batches change a digit."""
    values = np.arange(256) / 255.0
    means, stds = [], []
    for channel in range(images.shape[1]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), 256):
            counts += np.bincount(images[start : start + 256, channel].ravel(), minlength=256)
        mean = float(counts @ values / counts.sum())
        means.append(mean)
        stds.append(max(1 / 255.0, float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))))
    return tuple(means), tuple(stds)


def _counts(labels: NDArray[np.int64], classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=classes).tolist())


def _merged(skipped: Iterable[dict[str, list[str]]]) -> dict[str, tuple[str, ...]]:
    """Names by reason, over all parts."""
    merged: dict[str, list[str]] = {}
    for reasons in skipped:
        for reason, names in reasons.items():
            merged.setdefault(reason, []).extend(names)
    return {reason: tuple(sorted(names)) for reason, names in sorted(merged.items())}


def _progress_over(progress: Progress | None, total: int) -> Callable[[int], None]:
    """A function that is told how many more are done."""
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(done, total)

    return report
