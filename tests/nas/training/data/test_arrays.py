from pathlib import Path

import numpy as np
import pytest

from nas.training.data import describe
from nas.training.data.arrays import NOT_FINITE, read_arrays
from search_spaces.core.errors import WrongUse

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(12) % 2


def saved(path: Path, **arrays: object) -> Path:
    np.savez(path / "x.npz", **arrays)
    return path / "x.npz"


@pytest.mark.parametrize(
    ("pictures", "labels", "part"),
    [
        ("x_train", "y_train", "train"),
        ("X_Train", "y_train", "train"),
        ("train_images", "train_labels", "train"),
        ("x", "y", "all"),
        ("images", "labels", "all"),
        ("data", "targets", "all"),
        ("x_val", "y_valid", "validation"),
        ("test_images", "labels_test", "test"),
    ],
)
def test_keys_are_recognised(tmp_path: Path, pictures: str, labels: str, part: str) -> None:
    (found,) = read_arrays(saved(tmp_path, **{pictures: BYTES, labels: LABELS, "speaker_train": LABELS}))
    assert (found.key, found.part, found.images.shape) == (pictures, part, (12, 3, 6, 5))
    assert found.class_names == [str(label) for label in LABELS]
    assert np.array_equal(found.images, BYTES.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (BYTES[..., :1], BYTES[..., 0]),
        (BYTES[..., 0], BYTES[..., 0]),
        (BYTES[:, None, :, :, 0], BYTES[..., 0]),
        (BYTES[..., 0].astype(np.int64), BYTES[..., 0]),
        (BYTES[..., 0].astype(np.uint16) * 257, BYTES[..., 0]),
        (BYTES[..., 0].astype(np.float64), BYTES[..., 0]),
        (BYTES[..., 0].astype(np.float32) / 255, BYTES[..., 0]),
        (BYTES[..., 0] > 99, (BYTES[..., 0] > 99) * 255),
    ],
)
def test_shapes_and_kinds_become_the_same_bytes(tmp_path: Path, pictures: object, expected: np.ndarray) -> None:
    (found,) = read_arrays(saved(tmp_path, x=pictures, y=LABELS))
    assert found.images.dtype == np.uint8
    assert np.array_equal(found.images[:, 0], expected)


def test_transparency_shows_white(tmp_path: Path) -> None:
    alpha = np.concatenate([BYTES, np.zeros_like(BYTES[..., :1])], axis=3)
    alpha[1, ..., 3] = 255
    (found,) = read_arrays(saved(tmp_path, x=alpha, y=LABELS))
    assert found.images[0].min() == 255
    assert np.array_equal(found.images[1], BYTES[1].transpose(2, 0, 1))


def test_one_range_for_all_parts(tmp_path: Path) -> None:
    train = np.zeros((6, 4, 4), np.float32)
    test = np.full((6, 4, 4), 200, np.float32)
    train[:, 0] = 0.9  # alone it would look like fractions
    parts = read_arrays(saved(tmp_path, x_train=train, y_train=LABELS[:6], x_test=test, y_test=LABELS[:6]))
    assert [int(part.images.max()) for part in parts] == [200, 1]


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (np.array([[0], [1]] * 6), {}, ["0", "1"] * 6),
        (np.eye(2)[LABELS], {}, ["0", "1"] * 6),
        (np.eye(2, dtype=bool)[LABELS], {}, ["0", "1"] * 6),
        (LABELS.astype(float), {}, ["0", "1"] * 6),
        (np.array(["cat", "dog"] * 6), {}, ["cat", "dog"] * 6),
        (np.array([b"cat", b"dog"] * 6), {}, ["cat", "dog"] * 6),
        (LABELS, {"names": np.array(["no", "yes"])}, ["no", "yes"] * 6),
        (LABELS, {"classes": np.array([4, 5])}, ["0", "1"] * 6),
    ],
)
def test_labels(tmp_path: Path, labels: object, names: dict[str, object], expected: list[str]) -> None:
    assert read_arrays(saved(tmp_path, x=BYTES, y=labels, **names))[0].class_names == expected


def test_pictures_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    floats = BYTES.astype(np.float32)
    floats[3, 0, 0, 0] = np.nan
    floats[4, 0, 0, 0] = np.inf
    description = describe(saved(tmp_path, x=floats, y=LABELS))
    assert description.skipped == {NOT_FINITE: ("x[3]", "x[4]")}
    assert description.facts.pictures == 10


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.array([{"a": 1}] * 3, dtype=object), "y": LABELS[:3]}, "cannot be read without running code"),
        ({}, "no pictures among the keys"),
        ({"a": BYTES}, "no pictures among the keys a; expected x_train"),
        ({"x_train": BYTES}, "no labels for x_train"),
        ({"x": BYTES, "y": LABELS[:5]}, "x holds 12 pictures but y 5 labels"),
        ({"x": BYTES.reshape(12, -1), "y": LABELS}, r"shape \(12, 90\), which holds no pictures"),
        ({"x": BYTES[..., :2], "y": LABELS}, "holds no pictures"),
        ({"x": BYTES[:, :0], "y": LABELS}, "holds no pictures"),
        ({"x": BYTES.astype(str), "y": LABELS}, "holds no pictures"),
        ({"x": BYTES.astype(int) - 300, "y": LABELS}, r"run from -300 to .*scale them to 0-255"),
        ({"x": BYTES.astype(float) * 1000, "y": LABELS}, "scale them to 0-255"),
        ({"x": BYTES, "y": LABELS + 0.5}, "holds no labels"),
        ({"x": BYTES, "y": np.full(12, np.nan)}, "holds no labels"),
        ({"x": BYTES, "y": np.zeros((12, 3))}, "holds no labels"),
        ({"x": BYTES, "y": LABELS + 1, "names": np.array(["a", "b"])}, "2 names are given"),
        ({"x_train": BYTES, "y_train": LABELS, "x_test": BYTES[:, 1:], "y_test": LABELS}, "different shapes"),
        ({"x_train": BYTES, "y_train": LABELS, "x_test": BYTES / 255, "y_test": LABELS}, "mix kinds of numbers"),
        ({"x": BYTES[:0], "y": LABELS[:0]}, "no class with pictures"),
        ({"x": BYTES, "y": LABELS * 0}, "only one class with pictures, '0'"),
    ],
)
def test_what_breaks_a_rule_is_wrong_use(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    path = saved(tmp_path, **arrays)
    with pytest.raises(WrongUse, match=message):
        describe(path)


@pytest.mark.parametrize("cut", [0, 10, 500, 1500])
def test_a_damaged_file_is_wrong_use(tmp_path: Path, cut: int) -> None:
    path = saved(tmp_path, x=BYTES, y=LABELS)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(WrongUse, match=r"is not a readable \.npz"):
        describe(path)


def test_a_header_that_promises_terabytes_is_wrong_use(tmp_path: Path) -> None:
    path = saved(tmp_path, x=BYTES, y=LABELS)
    path.write_bytes(path.read_bytes().replace(b"(12, 6, 5, 3), }", b"(9999999999,6),}"))
    with pytest.raises(WrongUse):
        describe(path)
