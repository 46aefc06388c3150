"""What an `.npz` says that it holds."""

from pathlib import Path

import numpy as np
import pytest

from nas.training.data import DataDescription, Reading, describe, load
from nas.training.data.log_mel import fit, resize
from search_spaces.core.errors import NotFound, WrongUse

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 49, 40, 1), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(20) % 2


def described(path: Path, **arrays: object) -> DataDescription:
    np.savez(path / "x.npz", **{"x": GREY, "y": LABELS, **arrays})  # type: ignore[arg-type]
    return describe(path / "x.npz")


@pytest.mark.parametrize(
    ("arrays", "content"),
    [
        ({}, "unstated"),
        ({"x": COLOUR}, "pictures"),
        ({"kind": np.array("spectrograms")}, "spectrograms"),
        ({"kind": np.array(["Log-Mel"])}, "spectrograms"),
        ({"kind": np.array(b"pictures")}, "pictures"),
        ({"sample_rate": np.array(8_000)}, "spectrograms"),
        ({"speaker_train": np.array(["a"])}, "spectrograms"),
        ({"speakers": np.array(["a"]), "kind": np.array("pictures")}, "pictures"),
    ],
)
def test_kind_sample_rate_and_speakers(tmp_path: Path, arrays: dict[str, object], content: str) -> None:
    description = described(tmp_path, **arrays)
    assert description.content == content
    assert description.recipe is None
    assert any("kind=" in note for note in description.notes) is (content in ("unstated", "spectrograms"))
    assert ("frames x" in description.lines()[0]) is (content == "spectrograms")


def test_what_the_file_says_is_part_of_the_data(tmp_path: Path) -> None:
    silent = described(tmp_path).hash
    assert described(tmp_path, kind=np.array("pictures")).hash == silent
    assert described(tmp_path, kind=np.array("spectrograms")).hash != silent


@pytest.mark.parametrize("kind", ["spectrogam", ["a", "b"], 3])
def test_a_kind_that_is_none(tmp_path: Path, kind: object) -> None:
    with pytest.raises(WrongUse, match=r"unknown kind .*Known: pictures, spectrograms"):
        described(tmp_path, kind=np.array(kind))


def test_spectrograms_lose_whole_frames_and_are_not_blurred(tmp_path: Path) -> None:
    pictures = load(described(tmp_path, kind=np.array("spectrograms")), (48, 40), cache=tmp_path / "cache")
    rows = {image[:48, :, 0].tobytes() for image in GREY}
    assert {image.tobytes() for image in pictures.train.images} <= rows
    again = load(described(tmp_path, kind=np.array("pictures")), (48, 40), cache=tmp_path / "cache")
    assert not {image.tobytes() for image in again.train.images} & rows  # the cache of the others is not taken


def test_rows_are_read_as_in_training(tmp_path: Path) -> None:
    description = described(tmp_path, kind=np.array("spectrograms"))
    reading = Reading.from_document({**description.to_json(), "trained_at": (48, 40)}, 1, (40, 32))
    file = tmp_path / "x.npz"
    ((name, image),) = reading.inputs(f"{file}:x:3")
    assert name == f"{file}:x[3]"
    assert np.array_equal(image, resize(fit(GREY[3].transpose(2, 0, 1), (48, 40)), (40, 32)))
    every = reading.inputs(file)
    assert len(every) == len(reading.inputs(f"{file}:x")) == 20
    assert np.array_equal(every[3][1], image)
    for wrong in (f"{file}:x:20", f"{file}:y", f"{file}:z:0", f"{tmp_path}/none.npz"):
        with pytest.raises(NotFound):
            reading.inputs(wrong)
    with pytest.raises(WrongUse, match=r"made elsewhere; give rows of an \.npz"):
        reading.inputs(tmp_path / "x.wav")


def test_rows_of_pictures_are_read_too(tmp_path: Path) -> None:
    described(tmp_path, x=COLOUR)
    ((_, image),) = Reading(3, (8, 8)).inputs(f"{tmp_path / 'x.npz'}:x:1")
    assert np.array_equal(image, COLOUR[1].transpose(2, 0, 1))
    with pytest.raises(WrongUse, match="has 3 channels, the network takes 1"):
        Reading(1, (8, 8)).inputs(f"{tmp_path / 'x.npz'}:x:1")
