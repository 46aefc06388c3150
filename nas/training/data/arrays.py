"""Pictures in an `.npz` of NumPy arrays, read with `allow_pickle=False`.

- Keys: `x` and `y` (or images/labels, data/targets) with or without a part: `x_train, y_train, x_test, y_test`,
  `train_images, train_labels, val_images, ...`. Other keys are ignored; `names`, `classes` or `class_names` (text)
  names the labels in their order.
- Pictures: (n, H, W), (n, H, W, C) or (n, C, H, W) with C of 1, 3 or 4 (transparency, composited on white),
  at most 4 GiB.
- Values, by one rule for all arrays of the file: uint8 as they are; bool as 0 and 255; floats within 0-1 times 255,
  within 0-255 as they are; other integers within 0-255 as they are, within 0-65,535 divided by 257. Else: refused.
  A picture that holds NaN or an infinity is left out and named.
- What they are: an optional text `kind` says "pictures" or "spectrograms" (rows are frames, columns are bands). Without
  it, a `sample_rate` or names of speakers (`speaker`, `speaker_train`, ...) mean spectrograms. Grey ones of which
  nothing is said may be either, and are varied by small shifts alone.
- Labels: (n,) or (n, 1) whole numbers or text, or (n, classes) one-hot.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.training.data.content import PICTURES, SPECTROGRAMS
from nas.training.data.layout import ALL, PART_WORDS
from search_spaces.core.errors import NotFound, WrongUse, shown, unknown

_PICTURE_WORDS = frozenset({"x", "image", "images", "data"})
_LABEL_WORDS = frozenset({"y", "label", "labels", "target", "targets"})
_KIND_WORDS = {
    **dict.fromkeys(("picture", "pictures", "image", "images"), PICTURES),
    **dict.fromkeys(("spectrogram", "spectrograms", "log-mel", "logmel", "mel", "mfcc"), SPECTROGRAMS),
}
_RATE_KEYS = ("sample_rate", "sampling_rate")
_SPEAKER_WORDS = frozenset({"speaker", "speakers"})
_NAME_WORDS = ("names", "class_names", "classes", "label_names")
_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, SyntaxError, MemoryError, RuntimeError)
_MAX_ARRAY_BYTES = 4 * 2**30
NOT_FINITE = "holds NaN or an infinity"
_WAY_OUT = "expected x_train, y_train, x_test, y_test (or x, y): pictures (n, H, W, C) and labels (n,)"


class ArrayPart(NamedTuple):
    """One part of the file: its key, uint8 pictures (n, C, H, W), a class name and finite or not per picture."""

    key: str
    part: str
    images: NDArray[np.uint8]
    class_names: list[str]
    finite: NDArray[np.bool_]


def read_arrays(path: Path) -> list[ArrayPart]:
    """The parts of an `.npz`, in the order of their names. `WrongUse` with the rule where it breaks one."""
    arrays = _load(path)
    pairs = _pairs(path, sorted(arrays))
    raw = {part: _as_channels_last(path, x_key, arrays[x_key]) for part, (x_key, _) in pairs.items()}
    shapes = {array.shape[1:] for array in raw.values()}
    if len(shapes) != 1:
        raise WrongUse(f"{path}: the parts hold pictures of different shapes {sorted(shapes)}; give them one shape")
    factor = _factor(path, list(raw.values()))
    names = _label_names(arrays)
    parts = []
    for part, (x_key, y_key) in sorted(pairs.items()):
        labels = _class_names(path, y_key, arrays[y_key], names)
        if len(labels) != len(raw[part]):
            raise WrongUse(
                f"{path}: {x_key} holds {len(raw[part]):,} pictures but {y_key} {len(labels):,} labels; "
                "give each picture one label"
            )
        finite = np.isfinite(raw[part]).all(axis=(1, 2, 3))
        parts.append(ArrayPart(x_key, part, _as_bytes(raw[part], factor), labels, finite))
    return parts


def stated_content(path: Path) -> tuple[str, str]:
    """What an `.npz` says that it holds, pictures or spectrograms, and where; both empty where it says nothing."""
    with np.load(path, allow_pickle=False) as archive:  # lazily: the pictures are not read again
        keys = archive.files
        kind = archive["kind"] if "kind" in keys else None
    if kind is not None:
        word = str(_text(kind.item())) if kind.size == 1 else f"an array of shape {kind.shape}"
        if word.lower() not in _KIND_WORDS:
            raise WrongUse(f"{path}: {unknown('kind', word, [PICTURES, SPECTROGRAMS])}")
        return _KIND_WORDS[word.lower()], f"kind is '{word}'"
    for key in sorted(keys):
        if key in _RATE_KEYS or _SPEAKER_WORDS.intersection(key.lower().split("_")):
            return SPECTROGRAMS, f"the file has '{key}'"
    return "", ""


def read_rows(path: Path, key: str | None, row: int | None) -> list[tuple[str, NDArray[np.uint8]]]:
    """Pictures of an `.npz` without their labels, named as `x_test[3]`: one row of one array, its rows, or all.

    `NotFound` where there is no such array or row.
    """
    if not path.is_file():
        raise NotFound(f"the file {str(path)!r} does not exist; check the name and the folder")
    arrays = _load(path)
    keys = [name for name in sorted(arrays) if _word_and_part(name)[0] in _PICTURE_WORDS]
    if not keys or key not in (None, *keys):
        what = "no array of pictures" if key is None else f"no array of pictures {shown(key)}"
        raise NotFound(f"{path} has {what}; it has {', '.join(keys) or 'none'}")
    raw = {name: _as_channels_last(path, name, arrays[name]) for name in keys}
    factor = _factor(path, list(raw.values()))
    found = []
    for name in keys if key is None else [key]:
        images = raw[name] if row is None else raw[name][row : row + 1]
        if row is not None and not 0 <= row < len(raw[name]):
            raise NotFound(f"{path} has no row {row:,} in '{name}'; it holds {len(raw[name]):,}, counted from 0")
        pixels = _as_bytes(images, factor)
        found += [(f"{name}[{index + (row or 0)}]", image) for index, image in enumerate(pixels)]
    return found


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of the file, by key."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > _MAX_ARRAY_BYTES:
            raise WrongUse(f"{path} unpacks to {unpacked:,} bytes, more than 4 GiB; save the pictures in class folders")
        with np.load(path, allow_pickle=False) as archive_of_arrays:
            return {key: archive_of_arrays[key] for key in archive_of_arrays.files}
    except _DAMAGED as error:
        raise WrongUse(f"{path} is not a readable .npz ({error}); save it again with numpy.savez") from error
    except ValueError as error:
        raise WrongUse(
            f"{path} cannot be read without running code from it ({error}); "
            "save plain arrays of numbers or text with numpy.savez, not objects"
        ) from error


def _pairs(path: Path, keys: list[str]) -> dict[str, tuple[str, str]]:
    """Part -> (key of the pictures, key of the labels)."""
    pictures: dict[str, str] = {}
    labels: dict[str, str] = {}
    for key in keys:
        word, part = _word_and_part(key)
        if word in _PICTURE_WORDS | _LABEL_WORDS:
            (pictures if word in _PICTURE_WORDS else labels).setdefault(part, key)
    if pictures.keys() - {ALL}:  # x_train and x_test beside an x: the named parts count
        pictures.pop(ALL, None)
    missing = sorted(pictures[part] for part in pictures.keys() - labels.keys())
    if not pictures or missing:
        what = f"no labels for {missing[0]}" if missing else "no pictures"
        raise WrongUse(f"{path}: {what} among the keys {', '.join(keys) or '(none)'}; {_WAY_OUT}")
    return {part: (pictures[part], labels[part]) for part in pictures}


def _word_and_part(key: str) -> tuple[str, str]:
    """The word of a key and the part that it names: `x_train` is (x, train); empty where the key is neither."""
    words = key.lower().split("_")
    parts = [PART_WORDS[word] for word in words if word in PART_WORDS] or [ALL]
    kinds = [word for word in words if word not in PART_WORDS]
    return (kinds[0], parts[0]) if len(kinds) == len(parts) == 1 else ("", "")


def _as_channels_last(path: Path, key: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array as (n, H, W, C)."""
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim == 4 and array.shape[3] not in (1, 3, 4) and array.shape[1] in (1, 3, 4):
        array = array.transpose(0, 2, 3, 1)
    if array.ndim != 4 or array.shape[3] not in (1, 3, 4) or 0 in array.shape[1:] or array.dtype.kind not in "buif":
        raise WrongUse(f"{path}: {key} is {array.dtype} of shape {array.shape}, which holds no pictures; {_WAY_OUT}")
    return array


def _factor(path: Path, arrays: list[NDArray[Any]]) -> float:
    """What values are multiplied with to become 0-255; the same for every part."""
    kinds = {array.dtype.kind for array in arrays}
    if len(kinds) > 1:
        raise WrongUse(f"{path}: the parts mix kinds of numbers; save all of them as uint8")
    if kinds == {"b"}:
        return 255.0
    if all(array.dtype == np.uint8 for array in arrays):
        return 1.0
    finite = [array[np.isfinite(array)] for array in arrays]
    least = min((float(values.min()) for values in finite if values.size), default=0.0)
    greatest = max((float(values.max()) for values in finite if values.size), default=0.0)
    ranges = ((1.0, 255.0), (255.0, 1.0)) if kinds == {"f"} else ((255.0, 1.0), (65_535.0, 1 / 257.0))
    for top, factor in ranges:
        if least >= 0.0 and greatest <= top:
            return factor
    raise WrongUse(f"{path}: the pictures' values run from {least:g} to {greatest:g}; scale them to 0-255 as uint8")


def _as_bytes(array: NDArray[Any], factor: float) -> NDArray[np.uint8]:
    """(n, H, W, C) of any kind as uint8 (n, 1 or 3, H, W)."""
    if array.dtype != np.uint8:
        array = np.rint(np.nan_to_num(array.astype(np.float32), posinf=0.0, neginf=0.0) * factor).astype(np.uint8)
    if array.shape[3] == 4:
        alpha = array[..., 3:].astype(np.float32) / 255.0
        array = np.rint(array[..., :3] * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def _label_names(arrays: dict[str, NDArray[Any]]) -> list[str]:
    """The names of the labels 0, 1, ..., where the file gives them."""
    for key in _NAME_WORDS:
        if key in arrays and arrays[key].ndim == 1 and arrays[key].dtype.kind in "US":
            return [_text(name) for name in arrays[key].tolist()]
    return []


def _class_names(path: Path, key: str, labels: NDArray[Any], names: list[str]) -> list[str]:
    """A class name per picture."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if _is_one_hot(labels):
        labels = labels.argmax(axis=1)
    whole = labels.dtype.kind in "bui" or (labels.dtype.kind == "f" and bool(np.equal(np.mod(labels, 1), 0).all()))
    if labels.ndim != 1 or not (whole or labels.dtype.kind in "US"):
        raise WrongUse(f"{path}: {key} is {labels.dtype} of shape {labels.shape}, which holds no labels; {_WAY_OUT}")
    if not whole:
        return [_text(label) for label in labels.tolist()]
    numbers = [int(label) for label in labels.tolist()]
    if names and numbers and not 0 <= min(numbers) <= max(numbers) < len(names):
        raise WrongUse(f"{path}: {key} runs from {min(numbers)} to {max(numbers)}, but {len(names)} names are given")
    return [names[number] if names else str(number) for number in numbers]


def _is_one_hot(labels: NDArray[Any]) -> bool:
    """Whether each row of a matrix is zeros and a single one."""
    if labels.ndim != 2 or labels.dtype.kind not in "buif":
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels != 0).sum(axis=1).tolist() == [1] * len(labels))


def _text(value: str | bytes) -> str:
    """Text of either NumPy kind."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
