import hashlib
import random

import pytest

from nas.training.data.splitting import Record, content_hash, least_pictures, planned_counts, split


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def records_of(per_class: dict[str, int], part: str = "all") -> list[Record]:
    return [
        Record(f"{name}/{index}.png", label, part, digest(f"{part}{name}{index}"), 100)
        for label, (name, count) in enumerate(per_class.items())
        for index in range(count)
    ]


NAMES = ("a", "b", "c")


def contents(records: list[Record], indices: tuple[int, ...]) -> list[str]:
    return [records[index].digest for index in indices]


def test_sixty_twenty_twenty_of_each_class() -> None:
    records = records_of({"a": 100, "b": 10, "c": 3})
    parts = split(records, NAMES, seed=0)
    counts = [[sum(records[i].label == label for i in part) for label in range(3)] for part in parts[:3]]
    assert counts == [[60, 6, 1], [20, 2, 1], [20, 2, 1]]
    assert sorted(parts.train + parts.validation + parts.test) == list(range(113))
    assert planned_counts({"all": (100, 10, 3)}) == {"train": (60, 6, 1), "validation": (20, 2, 1), "test": (20, 2, 1)}


def test_given_parts_are_kept() -> None:
    records = records_of({"a": 10, "b": 10}, "train") + records_of({"a": 4, "b": 5}, "test")
    parts = split(records, NAMES, seed=1)
    assert {records[index].part for index in parts.test} == {"test"}
    assert [len(part) for part in parts[:3]] == [16, 4, 9]
    assert planned_counts({"train": (10, 10), "test": (4, 5)}) == {
        "train": (8, 8), "validation": (2, 2), "test": (4, 5)}  # fmt: skip
    assert planned_counts({"train": (10,), "validation": (4,)}) == {"train": (8,), "validation": (4,), "test": (2,)}
    assert planned_counts({"train": (1,), "validation": (4,), "test": (2,)})["train"] == (1,)


def test_the_seed_and_the_content_decide_alone() -> None:
    records = records_of({"a": 30, "b": 30})
    first = split(records, NAMES, seed=5)
    renamed = [record._replace(name=digest(record.name)) for record in records]
    random.Random(0).shuffle(renamed)
    second = split(renamed, NAMES, seed=5)
    assert first.hash == second.hash
    for part, other in zip(first[:3], second[:3], strict=True):
        assert contents(records, part) == contents(renamed, other)
    third = split(records, NAMES, seed=6)
    assert third.hash != first.hash
    assert set(third.test) != set(first.test)


def test_the_hash_changes_with_a_picture_a_class_and_a_part() -> None:
    records = records_of({"a": 9, "b": 9})
    hashes = {
        split(records, NAMES, 0).hash,
        split(records, ("a", "z"), 0).hash,
        split([records[0]._replace(digest=digest("new")), *records[1:]], NAMES, 0).hash,
        split(records[1:], NAMES, 0).hash,
    }
    assert len(hashes) == 4


def test_parts_come_shuffled() -> None:
    records = records_of({"a": 50, "b": 50})
    labels = [records[index].label for index in split(records, NAMES, 0).train]
    assert 10 < sum(labels[:30]) < 20


def test_copies_stay_in_one_part() -> None:
    records = [record._replace(digest=digest(str(i // 2))) for i, record in enumerate(records_of({"a": 40, "b": 40}))]
    for seed in range(10):
        parts = split(records, NAMES, seed)
        groups = [set(contents(records, part)) for part in parts[:3]]
        assert not groups[0] & groups[1]
        assert not groups[0] & groups[2]
        assert not groups[1] & groups[2]
        assert [len(part) for part in parts[:3]] == [48, 16, 16]
        assert parts.notes == ()


def test_a_class_of_one_picture_copied_is_split_all_the_same_and_noted() -> None:
    records = records_of({"a": 10, "b": 10})
    records = [record._replace(digest=digest("one")) if record.label else record for record in records]
    parts = split(records, NAMES, 0)
    assert [len(part) for part in parts[:3]] == [12, 4, 4]
    assert len(parts.notes) == 1
    assert "class 'b'" in parts.notes[0]


@pytest.mark.parametrize(
    ("given", "least"), [(["all"], 3), (["train", "test"], 2), (["train", "validation", "test"], 1)]
)
def test_least_pictures(given: list[str], least: int) -> None:
    assert least_pictures(given) == least


def test_content_hash_ignores_the_order() -> None:
    lines = [("train", "a", "1"), ("test", "b", "2")]
    assert content_hash(lines) == content_hash(reversed(lines))
    assert content_hash(lines) != content_hash([("train", "b", "1"), ("test", "a", "2")])
    assert len(content_hash([("train", "bad\udcff", "1")])) == 64
