"""From file names to classes: which folder is a class, which one holds training, validation or test pictures.

- Hidden files and folders (a leading dot, `__MACOSX`) and files that are no pictures (or sounds) by their suffix are
  left out; so is `_background_noise_`, which lies beside the words of the Speech Commands data and is none.
- Folders that hold nothing but one folder are stepped over (`signs.zip` with `signs/train/...` inside).
- `train/ test/ val/` (also training, testing, valid, validation; upper or lower case) that hold class folders are
  parts; with test/ or val/ but no train/, the remaining folders are the training classes.
- The next folder is the class; pictures deeper down belong to it.
- Classes are ordered as numbers where all are whole numbers, else by their characters.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from nas.training.data.content import PICTURE_FILES, SOUND_FILES, FileKind

ALL, TRAIN, VALIDATION, TEST = "all", "train", "validation", "test"
PART_WORDS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}

HIDDEN = "hidden file"
BACKGROUND = "background noise, not a class"
OUTSIDE = "outside the class folders"


class Place(NamedTuple):
    """Where a picture belongs: file name, part (`all` where the data set names none), class, the class's folder."""

    name: str
    part: str
    class_name: str
    folder: str


def assign(names: Iterable[str], kind: FileKind = PICTURE_FILES) -> tuple[list[Place], dict[str, list[str]]]:
    """Sorts file names (with `/`) into parts and classes; returns the places and what was left out, by reason."""
    skipped: dict[str, list[str]] = {}
    paths: list[tuple[str, ...]] = []
    for name in sorted(names):
        reason = _no_candidate(name, kind)
        if reason:
            skipped.setdefault(reason, []).append(name)
        else:
            paths.append(tuple(name.split("/")))
    top = _depth_of_classes(paths)
    part_folders = _part_folders(paths, top)
    places: list[Place] = []
    for path in paths:
        place = _place(path, top, part_folders)
        if place is None:
            skipped.setdefault(OUTSIDE, []).append("/".join(path))
        else:
            places.append(place)
    return places, skipped


def in_order(class_names: Iterable[str]) -> list[str]:
    """Class names in the order of their labels.

    >>> in_order({"10", "9", "1"}), in_order({"b", "10", "9"})
    (['1', '9', '10'], ['10', '9', 'b'])
    """
    names = set(class_names)
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _no_candidate(name: str, kind: FileKind) -> str:
    """The reason why a file is no candidate, empty where it is one."""
    if any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
        return HIDDEN
    if kind is SOUND_FILES and "_background_noise_" in name.split("/"):
        return BACKGROUND
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in kind.foreign_suffixes:
        return kind.foreign
    return "" if suffix in kind.suffixes else kind.other


def _depth_of_classes(paths: list[tuple[str, ...]]) -> int:
    """How many leading folders are stepped over."""
    top = 0
    while True:
        deep = [path for path in paths if len(path) > top + 2]
        if not deep or len({path[top] for path in paths if len(path) > top + 1}) != 1:
            return top
        top += 1


def _part_folders(paths: list[tuple[str, ...]], top: int) -> dict[str, str]:
    """Folder name -> part, for the folders below `top` that are parts and not classes."""
    folders = {path[top] for path in paths if len(path) > top + 2 and path[top].casefold() in PART_WORDS}
    return {folder: PART_WORDS[folder.casefold()] for folder in folders}


def _place(path: tuple[str, ...], top: int, part_folders: dict[str, str]) -> Place | None:
    """Part and class of one picture; None where it lies outside the class folders."""
    folders = path[top:-1]
    if not folders:
        return None
    if folders[0] in part_folders:
        part, depth = part_folders[folders[0]], 1
    elif TRAIN in part_folders.values():
        return None
    else:
        part, depth = (TRAIN if part_folders else ALL), 0
    if len(folders) <= depth:
        return None
    return Place("/".join(path), part, folders[depth], "/".join(path[: top + depth + 1]))
