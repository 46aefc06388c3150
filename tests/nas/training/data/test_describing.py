import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.training.data import describe
from nas.training.data.content import NO_PICTURES_INSIDE
from nas.training.data.curating import ALSO_IN_TEST
from nas.training.data.pictures import BROKEN, EMPTY, TOO_MANY_BYTES
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.input_facts import InputFacts

Save = Callable[..., Path]


def zipped(folder: Path, prefix: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, prefix + str(file.relative_to(folder)))
    return path


def test_digits_are_known_without_loading_anything() -> None:
    description = describe("digits")
    assert description.facts == InputFacts(channels=1, height=8, width=8, classes=10, pictures=1797)
    assert description.class_names == tuple("0123456789")
    assert {part: sum(counts) for part, counts in description.counts.items()} == {
        "train": 1079, "validation": 359, "test": 359}  # fmt: skip
    assert not description.imbalanced
    assert len(description.hash) == 64


def test_describing_loads_neither_torch_nor_scikit_learn(two_classes: Path) -> None:
    code = (
        "import sys; from nas.training.data import describe; assert 'PIL' not in sys.modules;"
        f"describe('digits'); describe({str(two_classes)!r});"
        "assert not {'torch', 'sklearn', 'pandas', 'ray'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_of_class_folders(two_classes: Path) -> None:
    description = describe(str(two_classes))
    assert description.kind == "folder"
    assert description.facts == InputFacts(channels=3, height=10, width=12, classes=2, pictures=20)
    assert description.class_names == ("cat", "dog")
    assert description.counts == {"train": (6, 6), "validation": (2, 2), "test": (2, 2)}
    assert description.given_parts == ()
    assert description.skipped == {}
    assert description.lines() == [
        f"{two_classes}: 20 colour pictures of 12 x 10 in 2 classes (12 train / 4 validation / 4 test)"
    ]


def test_the_hash_is_the_content_not_the_names(two_classes: Path, tmp_path: Path) -> None:
    description = describe(two_classes)
    in_zip = describe(zipped(two_classes, "around/it/"))
    assert in_zip.kind == "zip"
    assert (in_zip.hash, in_zip.facts, in_zip.counts) == (description.hash, description.facts, description.counts)
    moved = tmp_path / "moved"
    shutil.copytree(two_classes, moved)
    (moved / "cat" / "0.png").rename(moved / "cat" / "zzz.png")
    assert describe(moved).hash == description.hash
    (moved / "cat" / "zzz.png").rename(moved / "dog" / "zzz.png")
    assert describe(moved).hash != description.hash


def test_an_edit_that_keeps_the_length_changes_the_hash(save: Save, two_classes: Path) -> None:
    pixels = np.zeros((400, 400, 3), dtype=np.uint8)
    save("cat/large.bmp", Image.fromarray(pixels))
    before = describe(two_classes)
    pixels[5, 5] = 1  # rows are stored from the bottom: the end of 480,000 bytes
    save("cat/large.bmp", Image.fromarray(pixels))
    assert describe(two_classes).hash != before.hash


def test_the_native_size_is_the_median(save: Save, tmp_path: Path) -> None:
    for index, size in enumerate([(30, 20), (30, 20), (32, 20), (1, 1)]):
        save(f"cat/{index}.png", size=size)
        save(f"dog/{index}.png", size=(4000, 3) if index == 3 else size)
    facts = describe(tmp_path / "data").facts
    assert (facts.height, facts.width) == (20, 30)


def test_grey_only_where_every_picture_is(save: Save, two_classes: Path, tmp_path: Path) -> None:
    for path in two_classes.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert describe(two_classes).facts.channels == 1
    save("cat/colour.png")
    assert describe(two_classes).facts.channels == 3


def test_odd_files_are_counted_and_named(save: Save, two_classes: Path) -> None:
    (two_classes / "cat" / "empty.jpg").touch()
    (two_classes / "cat" / "garbage.jpg").write_bytes(b"no picture at all")
    (two_classes / "cat" / "notes.txt").write_text("hello")
    (two_classes / "cat" / ".DS_Store").write_text("x")
    with (two_classes / "dog" / "huge.png").open("wb") as huge:
        huge.truncate(256 * 2**20 + 1)  # sparse
    (two_classes / "bird").mkdir()
    (two_classes / "nest").mkdir()
    save("nest/egg.png")
    description = describe(two_classes)
    assert description.facts.pictures == 20
    assert description.facts.classes == 2
    assert description.skipped == {
        BROKEN: ("cat/garbage.jpg",),
        EMPTY: ("cat/empty.jpg",),
        TOO_MANY_BYTES: ("dog/huge.png",),
        NO_PICTURES_INSIDE: ("bird",),
        "class with too few training pictures (fewer than 3)": ("nest/egg.png",),
        "hidden file": ("cat/.DS_Store",),
        "not a picture by its name": ("cat/notes.txt",),
    }
    assert "1 left out: empty file (cat/empty.jpg)" in description.lines()


def test_a_damaged_member_of_a_zip_is_named(two_classes: Path) -> None:
    path = zipped(two_classes)
    content = bytearray(path.read_bytes())
    start = content.index(b"dog/9.png") + len("dog/9.png")
    content[start + 60 : start + 70] = bytes(10)
    path.write_bytes(content)
    assert describe(path).skipped == {BROKEN: ("dog/9.png",)}


def test_file_names_that_are_no_text(two_classes: Path) -> None:
    raw = os.fsencode(two_classes) + b"/cat/\xff\n.png"
    shutil.copy(two_classes / "cat" / "0.png", raw)
    Path(os.fsdecode(os.fsencode(two_classes) + b"/cat/\xfe.png")).touch()
    description = describe(two_classes)
    assert description.facts.pictures == 21
    assert "1 left out: empty file (cat/\\xfe.png)" in description.lines()


def test_train_and_test_folders(save: Save, tmp_path: Path) -> None:
    for index in range(10):
        for name in ("cat", "dog"):
            save(f"Train/{name}/{index}.png")
            save(f"test/{name}/{index}.png")
    description = describe(tmp_path / "data")
    assert description.given_parts == ("train", "test")
    assert description.counts == {"train": (8, 8), "validation": (2, 2), "test": (10, 10)}


def test_pictures_of_test_are_taken_out_of_training(save: Save, tmp_path: Path) -> None:
    for index in range(6):
        for name in ("cat", "dog"):
            save(f"train/{name}/{index}.png")
            save(f"test/{name}/{index}.png")
    data = tmp_path / "data"
    shutil.copy(data / "test" / "cat" / "0.png", data / "train" / "cat" / "copy.png")
    description = describe(data)
    assert description.skipped == {ALSO_IN_TEST: ("train/cat/copy.png",)}
    assert description.facts.pictures == 24


def test_copies_stay_where_a_class_would_have_nothing_else(save: Save, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name, colour in (("red", "red"), ("blue", "blue")):
            for index in range(5):
                save(f"{part}/{name}/{index}.png", Image.new("RGB", (8, 8), colour))
    description = describe(tmp_path / "data")
    assert description.facts.pictures == 20
    assert len(description.notes) == 2
    assert "5 pictures in train are also in a part that measures" in description.notes[0]


def test_two_labels_and_missing_test_classes_are_noted(save: Save, tmp_path: Path) -> None:
    for index in range(5):
        save(f"train/cat/{index}.png")
        save(f"train/dog/{index}.png")
        save(f"test/cat/{index}.png")
    shutil.copy(tmp_path / "data/train/cat/0.png", tmp_path / "data/train/dog/cat.png")
    notes = describe(tmp_path / "data").notes
    assert notes[0] == "1 pictures lie in two or more classes, for example in 'cat', 'dog'"
    assert "test has no pictures of the classes 'dog'" in notes[1]


def test_imbalance(save: Save, two_classes: Path) -> None:
    for index in range(10, 15):
        save(f"cat/{index}.png")
    assert not describe(two_classes).imbalanced  # 12 against 8: exactly 1.5
    for index in range(15, 18):
        save(f"cat/{index}.png")
    assert describe(two_classes).imbalanced


def test_no_class_and_one_class_are_wrong_use(save: Save, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(WrongUse, match="no class with pictures; a data set needs at least 2 classes"):
        describe(data)
    (data / "loose.png").touch()
    with pytest.raises(WrongUse, match=r"no class with pictures; left out: 1 x outside the class folders.*loose\.png"):
        describe(data)
    for index in range(5):
        save(f"cat/{index}.png")
    with pytest.raises(WrongUse, match="only one class with pictures, 'cat'"):
        describe(data)
    (data / "dog").mkdir()
    (data / "dog" / "1.png").write_bytes(b"broken")
    with pytest.raises(WrongUse, match=r"only one class.*one folder of pictures per class"):
        describe(data)


def test_test_pictures_alone_are_wrong_use(save: Save, tmp_path: Path) -> None:
    for index in range(5):
        save(f"test/cat/{index}.png")
        save(f"val/cat/{index}.png")
    with pytest.raises(WrongUse, match="test and validation pictures but none to train on; add a folder train/"):
        describe(tmp_path / "data")


@pytest.mark.parametrize("name", ["digit", "Digits", "digitz", "digtis"])
def test_a_misspelt_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WrongUse, match="did you mean 'digits'"):
        describe(name)


@pytest.mark.parametrize("name", ["signs", "pictures.zip", "./digits", "some/where"])
def test_a_missing_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFound, match="does not exist; give 'digits', a folder or a zip"):
        describe(name)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 10_000, os.devnull])
def test_what_cannot_be_a_path(name: str) -> None:
    with pytest.raises(WrongUse) as caught:
        describe(name)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("suffix", [".csv", ".tar.gz", ".pth", ".npy"])
def test_files_of_another_kind(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"data{suffix}"
    path.write_bytes(b"123")
    with pytest.raises(WrongUse, match=r"neither a folder nor a \.zip nor an \.npz"):
        describe(path)


def test_sign_digits(fitnas_data: Path) -> None:
    description = describe(fitnas_data / "vision" / "sign_digits_96.zip")
    assert description.facts == InputFacts(channels=3, height=96, width=96, classes=10, pictures=2062)
    assert {part: sum(counts) for part, counts in description.counts.items()} == {
        "train": 1314, "validation": 330, "test": 418}  # fmt: skip
    assert description.skipped == {}


def test_person32(fitnas_data: Path) -> None:
    description = describe(fitnas_data / "vision" / "person32_cifar100.npz")
    # CIFAR-100 repeats two of these training pictures in its test set.
    assert description.facts == InputFacts(channels=3, height=32, width=32, classes=2, pictures=5998)
    assert [len(names) for names in description.skipped.values()] == [2]
    assert sum(description.counts["test"]) == 1000


def test_spoken_digits(fitnas_data: Path) -> None:
    facts = describe(fitnas_data / "audio" / "fsdd_logmel.npz").facts
    assert facts == InputFacts(channels=1, height=49, width=40, classes=10, pictures=3000)
