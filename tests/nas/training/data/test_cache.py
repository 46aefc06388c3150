import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nas.training.data import cache
from nas.training.data.cache import Decoded, read_cached, stream_to_cache, write_cached
from search_spaces.core.errors import FitnasError

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 3, 5, 4), dtype=np.uint8)
PART = Decoded(IMAGES, np.arange(7), {"empty file": ["a.png"]})


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "train.npy"
    assert read_cached(path) is None
    assert write_cached(path, PART)
    back = read_cached(path)
    assert back is not None
    assert np.array_equal(back.images, IMAGES)
    assert back.labels.tolist() == list(range(7))
    assert back.skipped == PART.skipped
    assert np.array_equal(np.load(path), IMAGES)
    assert sorted(file.name for file in path.parent.iterdir()) == ["train.json", "train.npy"]


def test_an_empty_part(tmp_path: Path) -> None:
    assert write_cached(tmp_path / "x.npy", Decoded(IMAGES[:0], np.arange(0), {}))
    back = read_cached(tmp_path / "x.npy")
    assert back is not None
    assert back.images.shape == (0, 3, 5, 4)


def damage(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    notes = path.with_suffix(".json")
    if kind == "bit":
        content[-1] ^= 1
    elif kind == "short":
        del content[-50:]
    elif kind == "header":
        content[:20] = bytes(20)
    elif kind == "empty":
        content.clear()
    elif kind == "no notes":
        notes.unlink()
    elif kind == "bad notes":
        notes.write_text("{")
    elif kind == "other notes":
        notes.write_text("[]")
    else:
        facts = json.loads(notes.read_text())
        notes.write_text(json.dumps(facts | {"labels": facts["labels"][:-1]}))
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["bit", "short", "header", "empty", "no notes", "bad notes", "other notes", "labels"])
def test_a_broken_cache_is_no_cache(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "train.npy"
    write_cached(path, PART)
    damage(path, kind)
    assert read_cached(path) is None
    assert write_cached(path, PART)
    assert read_cached(path) is not None


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "train.npy"
    write_cached(path, PART)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert read_cached(path) is None


def test_streaming_drops_what_cannot_be_decoded(tmp_path: Path) -> None:
    rows = [(IMAGES[i] if i % 3 else "broken", i, f"{i}.png") for i in range(7)]
    decoded = stream_to_cache(tmp_path / "x.npy", (7, 3, 5, 4), rows)
    assert np.array_equal(decoded.images, IMAGES[[1, 2, 4, 5]])
    assert decoded.labels.tolist() == [1, 2, 4, 5]
    assert decoded.skipped == {"broken": ["0.png", "3.png", "6.png"]}


def test_old_leftovers_of_killed_processes_go(tmp_path: Path) -> None:
    for name in (".tmp-old.npy", ".tmp-new.npy"):
        (tmp_path / name).touch()
    os.utime(tmp_path / ".tmp-old.npy", (0, 0))
    write_cached(tmp_path / "x.npy", PART)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".tmp-new.npy", "x.json", "x.npy"]


def test_large_parts_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cached(tmp_path / "x.npy", PART)
    monkeypatch.setattr(cache, "LARGE_BYTES", 100)
    mapped = read_cached(tmp_path / "x.npy")
    assert mapped is not None
    assert isinstance(mapped.images, np.memmap)
    assert np.array_equal(mapped.images, IMAGES)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 4 KiB, which writing meets like a full disk: an `OSError`.

    Only around the call: the file that this very test run prints to may be longer.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_costs_only_the_cache(tmp_path: Path) -> None:
    large = Decoded(np.zeros((100, 3, 32, 32), np.uint8), np.zeros(100, np.int64), {})
    with full_disk():
        written = write_cached(tmp_path / "x.npy", large)
    assert not written
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_under_a_large_set_is_an_error(tmp_path: Path) -> None:
    rows = ((np.zeros((3, 32, 32), np.uint8), 0, "x") for _ in range(100))
    message = r"need 307,200 bytes .* free space there or choose a lower resolution"
    with full_disk(), pytest.raises(FitnasError, match=message):
        stream_to_cache(tmp_path / "x.npy", (100, 3, 32, 32), rows)
    assert list(tmp_path.iterdir()) == []
