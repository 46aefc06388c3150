"""Records of a teacher's answers: their bytes, their views, and everything that refuses them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.training.data import augmentation, describe, load
from nas.training.stored_logits import (
    Manifest,
    StoredLogits,
    append_epoch,
    epoch_file,
    finished_epochs,
    record_type,
    records_of,
    seeds_of,
    targets_of,
    view,
)
from search_spaces.core.errors import FitnasError, NotFound, WrongUse

DATA = describe("digits")
PICTURES = load(DATA, (16, 16), seed=0)
VARY = augmentation(DATA, (16, 16))


def manifest(top_k: int = 3) -> Manifest:
    return Manifest(
        teacher="a network",
        teacher_hash="0" * 64,
        data=DATA.hash,
        split=PICTURES.hash,
        split_seed=0,
        pictures=len(PICTURES.train.labels),
        class_names=tuple(PICTURES.class_names),
        size=(16, 16),
        augmentation=tuple(VARY.rules),
        top_k=top_k,
        seed=5,
    )


def answers(rows: int) -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.ones(10), rows).astype(np.float32)


def written(folder: Path, epochs: int = 2) -> Manifest:
    told = manifest()
    told.write(folder)
    for epoch in range(epochs):
        records = records_of(answers(told.pictures), seeds_of(told.seed, epoch, told.pictures), told.record)
        append_epoch(
            folder, told, epoch, lambda start, records=records: [records[start : start + 100], records[start + 100 :]]
        )
    return told


@pytest.mark.parametrize(("classes", "width"), [(10, 1), (256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_an_index_is_as_wide_as_the_classes_need(classes: int, width: int) -> None:
    """The published format has 16 bits and breaks above 32,767 classes."""
    assert record_type(classes, 7).itemsize == 4 + 7 * (width + 2)
    records = np.zeros(1, dtype=record_type(classes, 7))
    records["classes"] = classes - 1
    assert (records["classes"] == classes - 1).all()


def test_targets_are_the_largest_and_an_even_rest() -> None:
    probabilities = np.array([[0.1, 0.5, 0.05, 0.3, 0.05]], dtype=np.float32)
    records = records_of(probabilities, np.array([9], dtype=np.uint32), record_type(5, 2))
    assert records["classes"].tolist() == [[1, 3]]
    assert records["seed"].tolist() == [9]
    assert np.allclose(targets_of(records, 5), [[0.2 / 3, 0.5, 0.2 / 3, 0.3, 0.2 / 3]], atol=1e-3)


def test_all_classes_kept_are_the_answers_themselves() -> None:
    probabilities = answers(50)
    records = records_of(probabilities, np.zeros(50, dtype=np.uint32), record_type(10, 10))
    assert np.allclose(targets_of(records, 10), probabilities, atol=1e-3)
    assert np.allclose(targets_of(records, 10).sum(axis=1), 1)


def test_a_view_follows_from_its_seed_alone() -> None:
    images, seeds = PICTURES.train.images, seeds_of(5, 0, 20)
    first = [view(images[i], seeds[i], VARY) for i in range(20)]
    torch.manual_seed(99)
    again = [view(images[i], seeds[i], augmentation(DATA, (16, 16))) for i in reversed(range(20))]
    assert all(torch.equal(a, b) for a, b in zip(first, reversed(again), strict=True))
    others = [view(images[i], seed, VARY) for i, seed in enumerate(seeds_of(5, 1, 20))]
    assert not all(torch.equal(a, b) for a, b in zip(first, others, strict=True))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    told = written(tmp_path)
    stored = StoredLogits.open(tmp_path, PICTURES, DATA)
    assert (stored.manifest, stored.epochs) == (told, 2)
    chosen = np.array([3, 700, 0])
    images, targets = stored(1, chosen)
    seeds = seeds_of(5, 1, told.pictures)
    assert torch.equal(images, torch.cat([view(PICTURES.train.images[i], seeds[i], VARY) for i in chosen]))
    assert np.array_equal(targets.argmax(dim=1).numpy(), answers(told.pictures)[chosen].argmax(axis=1))


@pytest.mark.parametrize("cut", [0, 1, 50, 13 * 400 + 5])
def test_an_epoch_that_was_broken_off_is_gone_on_with(tmp_path: Path, cut: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    told = written(whole, 1)
    told.write(broken)
    epoch_file(broken, 0, part=True).write_bytes(epoch_file(whole, 0).read_bytes()[:cut])
    assert finished_epochs(broken) == 0
    records = np.fromfile(epoch_file(whole, 0), dtype=told.record)
    append_epoch(broken, told, 0, lambda start: [records[start:]])
    assert epoch_file(broken, 0).read_bytes() == epoch_file(whole, 0).read_bytes()
    assert not epoch_file(broken, 0, part=True).exists()


def test_an_epoch_that_is_not_whole_does_not_count(tmp_path: Path) -> None:
    told = manifest()
    told.write(tmp_path)
    with pytest.raises(FitnasError, match="expected records of 1,079 pictures"):
        append_epoch(tmp_path, told, 0, lambda start: [np.zeros(5, dtype=told.record)])
    assert finished_epochs(tmp_path) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "other"}, "of other data"),
        ({"split": "other"}, "of other split"),
        ({"size": (32, 32)}, "of other size"),
        ({"class_names": ("a", "b", "c")}, "of other class names"),
        ({"augmentation": ("none",)}, "of other augmentation"),
        ({"augmentation_version": 0}, "of other augmentation version"),
        ({"version": 99}, "of version 99, this program reads version 1"),
    ],
)
def test_answers_on_something_else_are_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    replace(manifest(), **change).write(tmp_path)  # type: ignore[arg-type]
    with pytest.raises(WrongUse, match=said):
        StoredLogits.open(tmp_path, PICTURES, DATA)


def test_damage_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no stored logits"):
        StoredLogits.open(tmp_path, PICTURES, DATA)
    written(tmp_path)
    stored = StoredLogits.open(tmp_path, PICTURES, DATA)
    with pytest.raises(WrongUse, match="holds 2 epochs, and the training takes 5; give --epochs 2, or go on"):
        stored.check(5)
    path = epoch_file(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FitnasError, match=r"epoch-0001.logits is cut short or damaged: it has .* delete it"):
        stored.check(2)
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(FitnasError, match="damaged"):
        StoredLogits.open(tmp_path, PICTURES, DATA)


@pytest.mark.parametrize("top_k", [0, -1, 11])
def test_more_than_the_classes_or_none_is_wrong(top_k: int) -> None:
    with pytest.raises(WrongUse, match="1 to the number of classes"):
        manifest(top_k)
