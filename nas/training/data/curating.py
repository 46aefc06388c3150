"""Which of the pictures that can be read are used: no test picture in training, no class too small to be split.

- A training picture that is byte for byte also in test/ (or a given validation/) is left out of training, and a
  validation picture that is also in test/ out of validation: the accuracy measured there would be memory. Where that
  would leave its class too few, the copies stay, and a note says so.
- A class without enough training pictures for every part that is taken from them is left out: three where neither test/
  nor validation/ is given, two where one is, one where both are. A class that has no training folder is left out.
- The same picture in two classes is kept and noted: which label is right is not ours to say.
- Fewer than two classes: refused, for there is nothing to tell apart.
"""

from collections import Counter

from nas.training.data.content import PICTURES, SOUNDS
from nas.training.data.layout import ALL, TEST, TRAIN, VALIDATION
from nas.training.data.scanning import Found
from nas.training.data.splitting import least_pictures
from search_spaces.core.errors import WrongUse

ALSO_IN_TEST = "also in test, so left out of training or validation"
ALSO_IN_VALIDATION = "also in validation, so left out of training"
TOO_FEW = "class with too few training pictures"
_EXAMPLES = {PICTURES: ("pictures/cat/1.jpg", "pictures/dog/1.jpg"), SOUNDS: ("words/yes/1.wav", "words/no/1.wav")}
_STRONGER = {ALL: (), TRAIN: (TEST, VALIDATION), VALIDATION: (TEST,), TEST: ()}
_REASONS = {TEST: ALSO_IN_TEST, VALIDATION: ALSO_IN_VALIDATION}


def curate(
    source: str, found: list[Found], skipped: dict[str, list[str]], things: str = PICTURES
) -> tuple[list[Found], dict[str, list[str]], list[str]]:
    """The pictures to use (`things` is their word in messages), everything left out by reason, and notes.

    `WrongUse` where fewer than two classes remain.
    """
    left_out = {reason: list(names) for reason, names in skipped.items()}
    _refuse_without_training(source, found)
    least = least_pictures(picture.part for picture in found)
    found, notes = _without_leaks(found, least, left_out)
    counts = Counter(picture.class_name for picture in found if picture.part in (ALL, TRAIN))
    kept = []
    for picture in found:
        if counts[picture.class_name] >= least:
            kept.append(picture)
        else:
            left_out.setdefault(f"{TOO_FEW} (fewer than {least})", []).append(picture.name)
    _refuse_single_class(source, {picture.class_name for picture in kept}, left_out, least, things)
    return kept, left_out, notes + _notes_on_labels(kept) + _notes_on_test(kept)


def _without_leaks(found: list[Found], least: int, left_out: dict[str, list[str]]) -> tuple[list[Found], list[str]]:
    """Leaves out training and validation pictures that are also in a part that measures."""
    contents = {part: {p.digest for p in found if p.part == part} for part in (TEST, VALIDATION)}
    leaks = {p.name: part for p in found for part in reversed(_STRONGER[p.part]) if p.digest in contents[part]}
    sizes = Counter((p.part, p.class_name) for p in found)
    leaking = Counter((p.part, p.class_name) for p in found if p.name in leaks)
    needed = {TRAIN: least, VALIDATION: 1}
    kept: list[Found] = []
    stuck: Counter[tuple[str, str]] = Counter()
    for picture in found:
        group = (picture.part, picture.class_name)
        if picture.name not in leaks:
            kept.append(picture)
        elif sizes[group] - leaking[group] >= needed[picture.part]:
            left_out.setdefault(_REASONS[leaks[picture.name]], []).append(picture.name)
        else:
            kept.append(picture)
            stuck[group] += 1
    notes = [
        f"class '{name}': {count:,} pictures in {part} are also in a part that measures, and stay for want of others; "
        "its accuracy will look better than it is"
        for (part, name), count in sorted(stuck.items())
    ]
    return kept, notes


def _refuse_without_training(source: str, found: list[Found]) -> None:
    """A data set of test pictures alone cannot train anything."""
    parts = {picture.part for picture in found}
    if parts and not parts & {ALL, TRAIN}:
        raise WrongUse(f"{source} has {' and '.join(sorted(parts))} pictures but none to train on; add a folder train/")


def _refuse_single_class(
    source: str, classes: set[str], left_out: dict[str, list[str]], least: int, things: str
) -> None:
    """A classifier needs two classes."""
    if len(classes) >= 2:
        return
    what = f"only one class with {things}, '{next(iter(classes))}'" if classes else f"no class with {things}"
    most = max(left_out, key=lambda reason: len(left_out[reason]), default="")
    why = f"; left out: {len(left_out[most]):,} x {most}, for example {left_out[most][0]!r}" if most else ""
    raise WrongUse(
        f"{source} has {what}{why}; a data set needs at least 2 classes of {least} or more {things}: "
        f"a folder (or zip) with one folder of {things} per class, such as {' and '.join(_EXAMPLES[things])}"
    )


def _notes_on_labels(found: list[Found]) -> list[str]:
    """Pictures that carry two labels."""
    classes: dict[str, set[str]] = {}
    for picture in found:
        classes.setdefault(picture.digest, set()).add(picture.class_name)
    torn = [names for names in classes.values() if len(names) > 1]
    if not torn:
        return []
    example = "', '".join(sorted(torn[0]))
    return [f"{len(torn):,} pictures lie in two or more classes, for example in '{example}'"]


def _notes_on_test(found: list[Found]) -> list[str]:
    """Classes that a given test or validation part lacks."""
    classes = {picture.class_name for picture in found}
    notes = []
    for part in (TEST, VALIDATION):
        present = {picture.class_name for picture in found if picture.part == part}
        if present and present != classes:
            missing = "', '".join(sorted(classes - present))
            notes.append(f"{part} has no pictures of the classes '{missing}'; its accuracy says nothing about them")
    return notes
