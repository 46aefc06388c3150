import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.training.data import describe, load, split_of
from nas.training.data import loading as loading_module
from nas.training.data import reading as reading_module
from nas.training.data.digits import COUNTS, read_digits
from nas.training.data.pictures import BROKEN
from search_spaces.core.errors import FitnasError, WrongUse

Save = Callable[..., Path]


def test_digits_agree_with_their_constants() -> None:
    images, labels = read_digits()
    assert images.shape == (1797, 1, 8, 8)
    assert (images.min(), images.max()) == (0, 255)
    assert tuple(np.bincount(labels)) == COUNTS


def test_digits() -> None:
    description = describe("digits")
    pictures = load(description, (8, 8), seed=3, include_test=True)
    assert pictures.test is not None
    assert pictures.counts == description.counts
    together = np.concatenate([pictures.train.images, pictures.validation.images, pictures.test.images])
    assert {image.tobytes() for image in together} == {image.tobytes() for image in read_digits()[0]}
    fractions = pictures.train.images / 255.0
    assert pictures.mean == pytest.approx([fractions.mean()], abs=1e-12)
    assert pictures.std == pytest.approx([fractions.std()], abs=1e-12)
    assert pictures.hash == split_of(description, 3).hash


def test_digits_of_another_content_are_refused() -> None:
    with pytest.raises(FitnasError, match="digits of this scikit-learn differ"):
        load(dataclasses.replace(describe("digits"), hash="0" * 64), (8, 8))


def test_the_search_cannot_see_test(two_classes: Path, tmp_path: Path) -> None:
    description = describe(two_classes)
    pictures = load(description, (10, 12), cache=tmp_path / "cache")
    assert pictures.test is None
    assert set(pictures.counts) == {"train", "validation"}
    assert not list((tmp_path / "cache").glob("test*"))
    whole = load(description, (10, 12), cache=tmp_path / "cache", include_test=True)
    assert whole.test is not None
    assert whole.hash == pictures.hash
    seen = {image.tobytes() for image in np.concatenate([pictures.train.images, pictures.validation.images])}
    assert not seen & {image.tobytes() for image in whole.test.images}


def test_pictures_carry_their_labels(two_classes: Path) -> None:
    pictures = load(describe(two_classes), (10, 12), seed=1)
    assert pictures.train.images.dtype == np.uint8
    assert pictures.train.labels.dtype == np.int64
    contents = {}
    for label, name in enumerate(pictures.class_names):
        for path in (two_classes / name).iterdir():
            contents[np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes()] = label
    for image, label in zip(*pictures.train, strict=True):
        assert contents[image.tobytes()] == label


def test_same_seed_same_arrays_whatever_the_cache_and_the_workers(
    two_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = describe(two_classes)
    first = load(description, (6, 7), seed=4, cache=tmp_path / "cache")
    cached = load(description, (6, 7), seed=4, cache=tmp_path / "cache")
    monkeypatch.setattr(reading_module, "_INLINE_PIXELS", 0)
    by_workers = load(description, (6, 7), seed=4, workers=2)
    monkeypatch.setattr(loading_module, "LARGE_BYTES", 0)
    streamed = load(description, (6, 7), seed=4, cache=tmp_path / "other")
    for other in (cached, by_workers, streamed):
        assert np.array_equal(other.train.images, first.train.images)
        assert np.array_equal(other.validation.labels, first.validation.labels)
        assert (other.hash, other.mean, other.std, other.skipped) == (first.hash, first.mean, first.std, first.skipped)
    assert load(description, (6, 7), seed=5).hash != first.hash


def test_a_broken_cache_is_built_again(two_classes: Path, tmp_path: Path) -> None:
    description = describe(two_classes)
    first = load(description, (6, 7), cache=tmp_path / "cache")
    files = sorted((tmp_path / "cache").glob("*.npy"))
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[:-9])
    again = load(description, (6, 7), cache=tmp_path / "cache")
    assert np.array_equal(again.train.images, first.train.images)
    assert np.array_equal(np.load(next(file for file in files if file.name.startswith("train"))), first.train.images)


def test_a_cache_that_cannot_be_written_costs_only_time(two_classes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert len(load(describe(two_classes), (6, 7), cache=tmp_path / "file").train.labels) == 12


def test_changed_pictures_do_not_meet_an_old_cache(save: Save, two_classes: Path, tmp_path: Path) -> None:
    before = load(describe(two_classes), (10, 12), cache=tmp_path / "cache")
    for path in two_classes.rglob("*.png"):
        save(str(path.relative_to(two_classes)), Image.new("RGB", (12, 10), (int(path.stem), 0, 0)))
    after = load(describe(two_classes), (10, 12), cache=tmp_path / "cache")
    assert after.train.images.max() < 10 < before.train.images.max()


def test_progress_reaches_its_end(two_classes: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):  # the second time from the cache
        load(describe(two_classes), (6, 7), cache=tmp_path, progress=lambda *at: told.append(at))
        assert told[-1] == (16, 16)
        told.clear()


def test_odd_pictures_are_loaded(save: Save, two_classes: Path) -> None:
    save("cat/grey.png", Image.new("L", (12, 10), 50))
    save("cat/clear.png", Image.new("RGBA", (40, 10), (0, 0, 0, 0)))
    save("cat/ink.tif", Image.new("CMYK", (12, 10), (0, 255, 255, 0)))
    save("cat/deep.png", Image.new("I;16", (12, 10), 65535))
    save("cat/dot.png", Image.new("1", (1, 1), 1))
    save("cat/float.tiff", Image.new("F", (3, 90), 0.25))
    save("cat/palette.gif", Image.new("P", (12, 10), 3))
    pictures = load(describe(two_classes), (10, 12), include_test=True)
    assert pictures.test is not None
    assert sum(sum(counts) for counts in pictures.counts.values()) == 27
    assert pictures.skipped == {}


def test_grey_pictures_stay_one_channel(save: Save, tmp_path: Path) -> None:
    for index in range(5):
        save(f"a/{index}.png", Image.new("L", (9, 9), index))
        save(f"b/{index}.png", Image.new("L", (9, 9), 100 + index))
    pictures = load(describe(tmp_path / "data"), (9, 9))
    assert pictures.train.images.shape == (6, 1, 9, 9)
    assert pictures.train.labels.tolist() == [int(image.max() >= 100) for image in pictures.train.images]


def test_constant_pictures_have_a_std_to_divide_by(save: Save, tmp_path: Path) -> None:
    for name in ("a", "b"):
        for index in range(5):
            save(f"{name}/{index}.png", Image.new("L", (9, 9), 255))
    pictures = load(describe(tmp_path / "data"), (9, 9))
    assert pictures.mean == (1.0,)
    assert pictures.std == (1 / 255,)
    assert len(pictures.notes) == 2


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-150])


def test_pictures_cut_short_are_left_out_and_named(two_classes: Path) -> None:
    cut_short(two_classes / "cat" / "3.png")
    description = describe(two_classes)
    assert description.facts.pictures == 20  # its header is sound
    pictures = load(description, (10, 12), include_test=True)
    assert pictures.skipped == {BROKEN: ("cat/3.png",)}
    assert sum(sum(counts) for counts in pictures.counts.values()) == 19


def test_a_class_of_nothing_but_broken_pictures_is_wrong_use(two_classes: Path) -> None:
    for path in (two_classes / "cat").iterdir():
        cut_short(path)
    with pytest.raises(WrongUse, match=r"nothing is left of class 'cat' in train \(8 x broken.*cat/"):
        load(describe(two_classes), (10, 12))


@pytest.mark.parametrize("size", [(0, 8), (8, -1), (8, 5000)])
def test_impossible_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(WrongUse, match="each side must be 1 to 4,096"):
        load(describe("digits"), size)


def test_sign_digits(fitnas_data: Path, tmp_path: Path) -> None:
    description = describe(fitnas_data / "vision" / "sign_digits_96.zip")
    pictures = load(description, (48, 48), include_test=True, cache=tmp_path)
    assert pictures.test is not None
    assert pictures.counts == description.counts
    assert pictures.test.images.shape == (418, 3, 48, 48)
    assert pictures.skipped == {}


def test_person32(fitnas_data: Path) -> None:
    description = describe(fitnas_data / "vision" / "person32_cifar100.npz")
    pictures = load(description, (32, 32), include_test=True)
    assert pictures.counts == description.counts
    assert pictures.counts == {"train": (2000, 1998), "validation": (500, 500), "test": (500, 500)}
    with np.load(description.source) as arrays:
        known = zip(arrays["x_train"], arrays["y_train"], strict=True)
        originals = {image.tobytes(): int(label) for image, label in known}
    for image, label in zip(pictures.train.images[:100], pictures.train.labels[:100], strict=True):
        assert originals[np.ascontiguousarray(image.transpose(1, 2, 0)).tobytes()] == label


def test_spoken_digits_keep_their_shape(fitnas_data: Path) -> None:
    pictures = load(describe(fitnas_data / "audio" / "fsdd_logmel.npz"), (49, 40))
    assert pictures.train.images.shape == (2160, 1, 49, 40)
