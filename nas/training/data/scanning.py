"""Looks at every picture or sound file of a folder or zip: class, part, size and what its content is."""

import hashlib
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

from nas.training.data.content import PICTURE_FILES, SOUND_FILES, FileKind
from nas.training.data.files import Files
from nas.training.data.layout import Place, assign
from nas.training.data.pictures import (
    BROKEN,
    EMPTY,
    MAX_BYTES,
    NO_ACCESS,
    RAW_SUFFIXES,
    TOO_MANY_BYTES,
    UnreadablePictureError,
    read_header,
)
from nas.training.data.sounds import BROKEN_SOUND, read_sound_header

Progress = Callable[[int, int], None]
_NO_CLASSES = (".", "__MACOSX", "_background_noise_")
_WINDOW_BYTES = 256 * 2**10
_DAMAGED = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Found(NamedTuple):
    """A picture that can be used: where it is, what it is and what its content is.

    `digest` is 64 hex digits; two pictures of one data set are byte for byte the same where it is equal. A sound's
    height is its length in samples, its width 1 and `rate` its samples a second.
    """

    name: str
    part: str
    class_name: str
    digest: str
    height: int
    width: int
    grey: bool
    rate: int = 0


def scan(
    files: Files, progress: Progress | None = None, kind: FileKind = PICTURE_FILES
) -> tuple[list[Found], dict[str, list[str]]]:
    """Every usable picture (or sound), and by reason the names of what was left out. Nothing is decoded."""
    places, skipped = assign(files.names, kind)
    look = _look_at_sound if kind is SOUND_FILES else _look
    for reason, names in files.skipped.items():
        skipped.setdefault(reason, []).extend(names)
    found: list[Found] = []
    for number, place in enumerate(places, 1):
        try:
            found.append(look(files, place))
        except UnreadablePictureError as error:
            skipped.setdefault(error.reason, []).append(place.name)
        if progress:
            progress(number, len(places))
    empty = _empty_class_folders(files.folders, places)
    if empty:
        skipped[kind.none_inside] = empty
    return found if kind is SOUND_FILES else _told_apart(files, found), skipped


def _look(files: Files, place: Place) -> Found:
    """Header and digest of one picture.

    The digest covers the length and the first 256 KiB, and all of a format that stores pixels raw: an edit of a
    compressed picture changes its length or its beginning, and a folder of photos need not be read whole.
    """
    byte_count = _usable_byte_count(files, place.name)
    raw = PurePosixPath(place.name).suffix.lower() in RAW_SUFFIXES
    try:
        with files.open(place.name) as stream:
            beginning = stream.read(byte_count if raw else _WINDOW_BYTES)
            stream.seek(0)
            header = read_header(stream)
    except PermissionError:
        raise UnreadablePictureError(NO_ACCESS) from None
    except _DAMAGED:
        raise UnreadablePictureError(BROKEN) from None
    digest = hashlib.sha256(b"%d:" % byte_count + beginning).hexdigest()
    return Found(place.name, place.part, place.class_name, digest, header.height, header.width, header.grey)


def _look_at_sound(files: Files, place: Place) -> Found:
    """Header and digest of one sound; the digest covers all of it, because samples are stored raw."""
    byte_count = _usable_byte_count(files, place.name)
    try:
        with files.open(place.name) as stream:
            content = stream.read(byte_count)
    except PermissionError:
        raise UnreadablePictureError(NO_ACCESS) from None
    except _DAMAGED:
        raise UnreadablePictureError(BROKEN_SOUND) from None
    header = read_sound_header(content)
    digest = hashlib.sha256(content).hexdigest()
    return Found(place.name, place.part, place.class_name, digest, header.samples, 1, True, header.rate)


def _usable_byte_count(files: Files, name: str) -> int:
    byte_count = files.byte_count(name)
    if byte_count == 0:
        raise UnreadablePictureError(EMPTY)
    if byte_count > MAX_BYTES:
        raise UnreadablePictureError(TOO_MANY_BYTES)
    return byte_count


def _told_apart(files: Files, found: list[Found]) -> list[Found]:
    """Gives large pictures that share length and beginning the digest of their whole content."""
    copies = Counter(picture.digest for picture in found)
    return [
        picture._replace(digest=_whole_digest(files, picture.name))
        if copies[picture.digest] > 1 and files.byte_count(picture.name) > _WINDOW_BYTES
        else picture
        for picture in found
    ]


def _whole_digest(files: Files, name: str) -> str:
    """sha256 of the length and of the whole content; unique to the name where the content cannot be read to its end."""
    digest = hashlib.sha256(b"%d:" % files.byte_count(name))
    try:
        with files.open(name) as stream:
            while block := stream.read(2**20):
                digest.update(block)
    except _DAMAGED:
        digest.update(name.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _empty_class_folders(folders: list[str], places: list[Place]) -> list[str]:
    """Folders beside the class folders in which nothing below is a picture."""
    in_use = {str(parent) for place in places for parent in PurePosixPath(place.name).parents}
    beside = {PurePosixPath(place.folder).parent for place in places}
    return sorted(
        folder
        for folder in set(folders) - in_use
        if PurePosixPath(folder).parent in beside and not PurePosixPath(folder).name.startswith(_NO_CLASSES)
    )
