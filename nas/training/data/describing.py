"""From the value of `--data` to a `DataDescription`; neither torch nor scikit-learn is loaded."""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nas.training.data import digits
from nas.training.data.arrays import NOT_FINITE, read_arrays, stated_content
from nas.training.data.content import PICTURES, SOUNDS, SPECTROGRAMS, UNSTATED, file_kind
from nas.training.data.curating import curate
from nas.training.data.description import DataDescription
from nas.training.data.files import open_files
from nas.training.data.layout import ALL, TEST, TRAIN, VALIDATION, in_order
from nas.training.data.scanning import Found, Progress, scan
from nas.training.data.sounds import SoundHeader, recipe_for
from nas.training.data.splitting import Record, content_hash, planned_counts
from search_spaces.core.errors import NotFound, WrongUse, did_you_mean, shown
from search_spaces.core.input_facts import InputFacts

_KINDS = "'digits', a folder or a zip of class folders (pictures or .wav files), or an .npz"


def describe(data: str | Path, progress: Progress | None = None) -> DataDescription:
    """The facts about a data set, from headers alone (of an `.npz`, from its arrays).

    Args:
        data: "digits" (a folder of that name: ./digits), or the path of a folder, zip or `.npz`.
        progress: called with (pictures looked at, pictures).

    Raises:
        NotFound: no such path.
        WrongUse: a misspelt name, a file of another kind, fewer than two classes, an array that holds no pictures, a
            folder of both pictures and sounds.
        FitnasError: a folder that cannot be read.
    """
    if str(data) == digits.NAME:
        return _describe_digits()
    path, kind = _recognise(str(data))
    if kind == "npz":
        return _describe_arrays(path)
    files = open_files(path)
    try:
        file = file_kind(str(path), files.names)
        found, skipped = scan(files, progress, file)
    finally:
        files.close()
    return _description(str(path), kind, found, skipped, file.name)


def _describe_digits() -> DataDescription:
    names = tuple(str(label) for label in range(10))
    facts = InputFacts(1, digits.SIDE_PIXELS, digits.SIDE_PIXELS, len(names), sum(digits.COUNTS))
    return DataDescription(digits.NAME, "digits", facts, names, planned_counts({ALL: digits.COUNTS}), digits.HASH)


def _recognise(data: str) -> tuple[Path, str]:
    """The path that `data` names and its kind: folder, zip or npz."""
    try:
        path = Path(data).expanduser()
        exists = bool(data) and path.exists()
        path = path.absolute()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongUse(f"--data {shown(data)} is no path ({reason}); give {_KINDS}") from error
    if "\0" in data:
        raise WrongUse(f"--data {shown(data)} is no path (it holds a NUL character); give {_KINDS}")
    if not exists:
        bare = not set(data) & {"/", "\\", "."}
        if not data or (bare and difflib.get_close_matches(data.lower(), [digits.NAME], cutoff=0.75)):
            raise WrongUse(f"unknown data set {shown(data)}{did_you_mean(data, [digits.NAME]) or ';'} Give {_KINDS}")
        raise NotFound(f"--data {shown(data)} does not exist; give {_KINDS}")
    if path.is_dir():
        return path, "folder"
    if path.is_file() and path.suffix.lower() in (".zip", ".npz"):
        return path, path.suffix.lower()[1:]
    raise WrongUse(
        f"--data {shown(data)} is neither a folder nor a .zip nor an .npz; unpack or convert it and give {_KINDS}"
    )


def _describe_arrays(path: Path) -> DataDescription:
    found, skipped = _found_in_arrays(path)
    stated, where = stated_content(path)
    grey = bool(found) and all(picture.grey for picture in found)
    description = _description(str(path), "npz", found, skipped, stated or (UNSTATED if grey else PICTURES))
    note = ""
    if stated == SPECTROGRAMS:
        note = f"taken as spectrograms, rows as frames ({where}); an array kind='pictures' would say otherwise"
    elif not stated and grey:
        note = (
            "grey pictures may be spectrograms, so they are varied by small shifts alone; an array kind='spectrograms' "
            "or kind='pictures' in the file would say which"
        )
    return replace(description, notes=(*description.notes, note)) if note else description


def _found_in_arrays(path: Path) -> tuple[list[Found], dict[str, list[str]]]:
    """The pictures of an `.npz`, as `scan` lists those of a folder."""
    found: list[Found] = []
    skipped: dict[str, list[str]] = {}
    for part in read_arrays(path):
        grey, (height, width) = part.images.shape[1] == 1, part.images.shape[2:]
        for index, (image, class_name) in enumerate(zip(part.images, part.class_names, strict=True)):
            name = f"{part.key}[{index}]"
            if not part.finite[index]:
                skipped.setdefault(NOT_FINITE, []).append(name)
                continue
            digest = hashlib.sha256(image.tobytes()).hexdigest()
            found.append(Found(name, part.part, class_name, digest, height, width, grey))
    return found, skipped


def _description(
    source: str, kind: str, found: list[Found], skipped: dict[str, list[str]], content: str
) -> DataDescription:
    """Puts the usable pictures in order and their figures together."""
    found, more_skipped, notes = curate(source, found, skipped, SOUNDS if content == SOUNDS else PICTURES)
    names = in_order(picture.class_name for picture in found)
    labels = {name: label for label, name in enumerate(names)}
    records = sorted(
        Record(picture.name, labels[picture.class_name], picture.part, picture.digest, picture.height * picture.width)
        for picture in found
    )
    recipe = recipe_for([SoundHeader(sound.height, sound.rate) for sound in found]) if content == SOUNDS else None
    facts = InputFacts(
        channels=1 if all(picture.grey for picture in found) else 3,
        height=recipe.frames if recipe else _lower_median([picture.height for picture in found]),
        width=recipe.bands if recipe else _lower_median([picture.width for picture in found]),
        classes=len(names),
        pictures=len(found),
    )
    # the same numbers are other data where the file begins to call them spectrograms: they are scaled in another way
    stated = [("content", content, "")] if content == SPECTROGRAMS else []
    given = {part: _per_class(records, part, len(names)) for part in dict.fromkeys(record.part for record in records)}
    return DataDescription(
        source=source,
        kind=kind,
        facts=facts,
        class_names=tuple(names),
        counts=planned_counts(given),
        hash=content_hash([*((picture.part, picture.class_name, picture.digest) for picture in found), *stated]),
        skipped={reason: tuple(names) for reason, names in sorted(more_skipped.items())},
        notes=tuple(notes),
        given_parts=tuple(part for part in (TRAIN, VALIDATION, TEST) if part in given),
        records=tuple(records),
        content=content,
        recipe=recipe,
    )


def _lower_median(values: Sequence[int]) -> int:
    """The middle value; of an even number the lower of the two, so that it is a size that some picture has."""
    return sorted(values)[(len(values) - 1) // 2]


def _per_class(records: Sequence[Record], part: str, classes: int) -> tuple[int, ...]:
    counts = [0] * classes
    for record in records:
        if record.part == part:
            counts[record.label] += 1
    return tuple(counts)
