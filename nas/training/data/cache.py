"""Decoded pictures on the disk: one `.npy` and one `.json` a part, written whole or not at all.

A cache file is a convenience: one that is missing, cut short or changed is built again. Pictures of up to 256 MiB are
read whole and their checksum compared; larger ones are memory-mapped, and only their shape and length are.
"""

import contextlib
import json
import math
import secrets
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.errors import FitnasError

LARGE_BYTES = 256 * 2**20
_TEMPORARY_PREFIX = ".tmp-"
_LEFTOVER_SECONDS = 24 * 3600


class Decoded(NamedTuple):
    """One part of a data set: uint8 pictures (n, C, H, W), int64 labels (n,), and what could not be decoded."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    skipped: dict[str, list[str]]


def read_cached(path: Path) -> Decoded | None:
    """The part cached as `path` (.npy) and its .json; None where there is none or it is broken."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text("utf-8"))
        large = path.stat().st_size > LARGE_BYTES
        images = np.load(path, mmap_mode="r" if large else None, allow_pickle=False)
        labels = np.array(facts["labels"], dtype=np.int64)
        skipped = {str(reason): [str(name) for name in names] for reason, names in facts["skipped"].items()}
        whole = images.dtype == np.uint8 and list(images.shape) == facts["shape"] and len(images) == len(labels)
        if not whole or (not large and _crc32(images) != facts["crc32"]):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, OverflowError, MemoryError):
        return None
    return Decoded(images, labels, skipped)


def write_cached(path: Path, decoded: Decoded) -> bool:
    """Writes a part; False where the disk does not let us, which costs only time."""
    try:
        with _Rows(path, decoded.images.shape) as rows:
            for image in decoded.images:
                rows.add(image)
            rows.finish(decoded.labels.tolist(), decoded.skipped)
    except OSError:
        return False
    return True


def stream_to_cache(
    path: Path,
    shape: tuple[int, int, int, int],
    pictures: Iterable[tuple[NDArray[np.uint8] | str, int, str]],
) -> Decoded:
    """Writes (picture or reason, label, name) one by one, for sets larger than the memory, and maps the result.

    `shape` holds the greatest number of pictures. `FitnasError` where the disk is full.
    """
    labels: list[int] = []
    skipped: dict[str, list[str]] = {}
    try:
        with _Rows(path, shape) as rows:
            for picture, label, name in pictures:
                if isinstance(picture, str):
                    skipped.setdefault(picture, []).append(name)
                else:
                    rows.add(picture)
                    labels.append(label)
            rows.finish(labels, skipped)
    except OSError as error:
        needed = math.prod(shape)
        raise FitnasError(
            f"the decoded pictures need {needed:,} bytes in {path.parent}, which cannot be written ({error.strerror}); "
            "free space there or choose a lower resolution"
        ) from error
    decoded = read_cached(path)
    if decoded is None:
        raise FitnasError(f"{path} was written but does not read back; check the disk")
    return decoded


def _crc32(images: NDArray[np.uint8]) -> int:
    """The checksum of the pixels in their order."""
    checksum = 0
    for image in images:  # one at a time: `tobytes` copies
        checksum = zlib.crc32(image.tobytes(), checksum)
    return checksum


def _remove_old_leftovers(folder: Path) -> None:
    """Removes what killed processes left behind; a day old, because another process may be writing here now."""
    for leftover in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink()


class _Rows:
    """A `.npy` file that grows picture by picture and takes its name only when it is complete.

    Ordinary writes, not a memory map: a full disk is then an `OSError` and not a signal that kills the process.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path = path
        self._temporary = path.with_name(f"{_TEMPORARY_PREFIX}{secrets.token_hex(6)}.npy")
        self._shape = shape
        self._crc32 = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "_Rows":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _remove_old_leftovers(self._path.parent)
        self._file = self._temporary.open("xb")
        self._write_header(self._shape[0])
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._temporary.unlink(missing_ok=True)

    def add(self, image: NDArray[np.uint8]) -> None:
        """Appends one picture."""
        content = np.ascontiguousarray(image).tobytes()
        self._crc32 = zlib.crc32(content, self._crc32)
        self._open_file().write(content)

    def finish(self, labels: list[int], skipped: dict[str, list[str]]) -> None:
        """Corrects the number of pictures in the header and gives both files their names."""
        shape = [len(labels), *self._shape[1:]]
        self._write_header(len(labels))
        self._open_file().close()
        facts = {"shape": shape, "labels": labels, "skipped": skipped, "crc32": self._crc32}
        notes = self._temporary.with_suffix(".json")
        try:
            notes.write_text(json.dumps(facts), "utf-8")
            self._temporary.replace(self._path)
            notes.replace(self._path.with_suffix(".json"))
        finally:
            notes.unlink(missing_ok=True)

    def _write_header(self, pictures: int) -> None:
        """The head of the file; NumPy pads it, so that a smaller number takes the same room."""
        file = self._open_file()
        file.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (pictures, *self._shape[1:])}
        np.lib.format.write_array_header_1_0(file, header)

    def _open_file(self) -> IO[bytes]:
        if self._file is None:
            raise OSError("the cache file is not open")
        return self._file
