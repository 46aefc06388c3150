"""What a data set holds: pictures, sounds (`.wav` files), or spectrograms that somebody else computed."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from nas.training.data.pictures import FOREIGN_SUFFIXES, SUFFIXES
from search_spaces.core.errors import WrongUse

PICTURES, SOUNDS, SPECTROGRAMS = "pictures", "sounds", "spectrograms"
UNSTATED = "unstated"
"""Grey pictures of an `.npz` that does not say what they are."""

NO_PICTURE = "not a picture by its name"
FOREIGN = "a format that is not read here: convert to JPEG or PNG"
NO_PICTURES_INSIDE = "class folder without pictures"
_FOREIGN_SOUND_WORDS = "mp3 flac ogg oga opus m4a aac wma aif aiff aifc au snd amr caf"


class FileKind(NamedTuple):
    """Which files of a folder are looked at, by their suffix, and the reasons that name the others."""

    name: str
    suffixes: frozenset[str]
    foreign_suffixes: frozenset[str]
    other: str
    foreign: str
    none_inside: str


PICTURE_FILES = FileKind(PICTURES, SUFFIXES, FOREIGN_SUFFIXES, NO_PICTURE, FOREIGN, NO_PICTURES_INSIDE)
SOUND_FILES = FileKind(
    SOUNDS,
    frozenset({".wav", ".wave"}),
    frozenset(f".{word}" for word in _FOREIGN_SOUND_WORDS.split()),
    "not a sound by its name",
    "a format that is not read here: convert to WAV (PCM)",
    "class folder without sounds",
)


def file_kind(source: str, names: Iterable[str]) -> FileKind:
    """Which kind of file a folder or zip holds, by the suffixes; pictures where it holds neither.

    Hidden files, and loose ones beside the class folders, do not count. `WrongUse` where both kinds are there: a
    network sees one kind of input.
    """
    found: dict[str, list[str]] = {PICTURES: [], SOUNDS: []}
    foreign_sound = False
    for name in sorted(names):
        if "/" not in name or any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
            continue
        suffix = PurePosixPath(name).suffix.lower()
        foreign_sound |= suffix in SOUND_FILES.foreign_suffixes
        for kind in (PICTURE_FILES, SOUND_FILES):
            if suffix in kind.suffixes:
                found[kind.name].append(name)
    pictures, sounds = found[PICTURES], found[SOUNDS]
    if pictures and sounds:
        raise WrongUse(
            f"{source} mixes {len(pictures):,} pictures (for example {pictures[0]!r}) and {len(sounds):,} sounds "
            f"({sounds[0]!r}), and a network sees one kind; take one of them out"
        )
    return SOUND_FILES if sounds or (foreign_sound and not pictures) else PICTURE_FILES
