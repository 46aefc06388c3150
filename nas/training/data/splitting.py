"""Which pictures train, validate and test: stratified, decided by the seed and the pictures' content alone.

- No test/ given: 20 % of each class are test, 20 % validation, 60 % train (each at least one picture; halves round up).
- test/ or validation/ given: kept as they are; what is missing is taken from train, 20 % of each class.
- Neither file names nor the order of a folder matter: pictures are ordered by a hash of the seed and their content.
- Copies of one picture stay in one part; only where the figures above leave no other way they are parted, and noted.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from nas.training.data.layout import ALL, TEST, TRAIN, VALIDATION

PARTS = (TRAIN, VALIDATION, TEST)


class Record(NamedTuple):
    """One picture of a data set: name, label, the part it was given in, digest of its content, native pixels."""

    name: str
    label: int
    part: str
    digest: str
    pixels: int


class Split(NamedTuple):
    """Indices into the records, each part in an order shuffled by the seed; `hash` is 64 hex digits."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]
    hash: str
    notes: tuple[str, ...]


def portion(pictures: int) -> int:
    """20 % of a class, halves rounded up, at least one.

    >>> [portion(n) for n in (1, 3, 7, 8, 178)]
    [1, 1, 1, 2, 36]
    """
    return max(1, (2 * pictures + 5) // 10)


def least_pictures(given_parts: Iterable[str]) -> int:
    """How many training pictures a class needs so that every part that is taken from them gets one."""
    return 1 + len({VALIDATION, TEST} - set(given_parts))


def planned_counts(given: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Pictures per class in train, validation and test, from the pictures per class as given.

    Exact for every seed, because a split always reaches its portions.
    """
    source = TRAIN if TRAIN in given else ALL
    counts = {part: tuple(given[part]) for part in (VALIDATION, TEST) if part in given}
    left = list(given[source])
    for part in (TEST, VALIDATION):
        if part not in counts:
            counts[part] = tuple(portion(pictures) for pictures in given[source])
            left = [rest - taken for rest, taken in zip(left, counts[part], strict=True)]
    return {TRAIN: tuple(left), VALIDATION: counts[VALIDATION], TEST: counts[TEST]}


def split(records: Sequence[Record], class_names: Sequence[str], seed: int) -> Split:
    """The split of `records` by `seed`; the same for the same content, whatever the names and the order."""
    given = {record.part for record in records}
    keys = [_key(seed, record.digest) for record in records]
    parts: dict[str, list[int]] = {part: [] for part in PARTS}
    pools: dict[int, list[int]] = {}
    for index, record in enumerate(records):
        if record.part in (TRAIN, ALL):
            pools.setdefault(record.label, []).append(index)
        else:
            parts[record.part].append(index)
    parted: list[str] = []
    for label, pool in sorted(pools.items()):
        wanted = {part: portion(len(pool)) for part in (TEST, VALIDATION) if part not in given}
        groups = _copies_together(pool, records, keys)
        for part, count in wanted.items():
            taken, groups, broken = _take(groups, count)
            parts[part] += taken
            if broken:
                parted.append(class_names[label])
        parts[TRAIN] += [index for group in groups for index in group]
    for members in parts.values():
        members.sort(key=lambda index: (keys[index], records[index].label, records[index].name))
    notes = tuple(
        f"class '{name}': copies of one picture lie in several parts, for it has too few different ones"
        for name in dict.fromkeys(parted)
    )
    train, validation, test = (tuple(parts[part]) for part in PARTS)
    return Split(train, validation, test, _hash_of_split(parts, records, class_names), notes)


def content_hash(lines: Iterable[tuple[str, str, str]]) -> str:
    """sha256 (64 hex digits) of (part, class name, digest) triples, whatever their order."""
    total = hashlib.sha256()
    for line in sorted("\t".join(line) for line in lines):
        total.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return total.hexdigest()


def _hash_of_split(parts: Mapping[str, list[int]], records: Sequence[Record], class_names: Sequence[str]) -> str:
    """What identifies pictures, classes and split together."""
    return content_hash(
        (part, class_names[records[index].label], records[index].digest)
        for part, members in parts.items()
        for index in members
    )


def _key(seed: int, digest: str) -> str:
    """The place of a picture in the shuffled order: equal for copies, unrelated to anything else."""
    return hashlib.sha256(f"{seed}:{digest}".encode()).hexdigest()


def _copies_together(pool: list[int], records: Sequence[Record], keys: list[str]) -> list[list[int]]:
    """The pictures of a class as groups of copies, in the seed's order."""
    groups: dict[str, list[int]] = {}
    for index in sorted(pool, key=lambda index: (keys[index], records[index].name)):
        groups.setdefault(keys[index], []).append(index)
    return list(groups.values())


def _take(groups: list[list[int]], count: int) -> tuple[list[int], list[list[int]], bool]:
    """Exactly `count` pictures in whole groups, what is left, and whether a group had to be parted."""
    taken: list[int] = []
    left: list[list[int]] = []
    for group in groups:
        if len(taken) + len(group) <= count:
            taken += group
        else:
            left.append(group)
    missing = count - len(taken)
    if not missing:
        return taken, left, False
    return taken + left[0][:missing], [left[0][missing:], *left[1:]], True
