import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas.training.data.decoding import _Share, decode_files
from nas.training.data.pictures import BROKEN, CRASHED
from search_spaces.core.errors import FitnasError

Save = Callable[..., Path]
SIZE = (256, 256)  # one picture is larger than a pipe, so a worker stops until it is read


def names_of(data: Path) -> list[str]:
    return sorted(str(path.relative_to(data)) for path in data.rglob("*.png"))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_deliver_what_this_process_would(two_classes: Path, workers: int) -> None:
    (two_classes / "cat" / "3.png").write_bytes(b"broken")
    names = names_of(two_classes)
    here = list(decode_files(two_classes, names, 3, (9, 8), workers=0))
    there = list(decode_files(two_classes, names, 3, (9, 8), workers=workers))
    assert len(there) == 20
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one, other)
    assert there[names.index("cat/3.png")] == BROKEN


def test_more_workers_than_pictures(two_classes: Path) -> None:
    assert len(list(decode_files(two_classes, ["cat/0.png"], 3, (8, 8), workers=50))) == 1


def test_no_pictures_need_no_workers(two_classes: Path) -> None:
    assert list(decode_files(two_classes, [], 3, (8, 8), workers=2)) == []


def kill(share: _Share) -> None:
    process = share._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_worker_loses_no_picture(two_classes: Path) -> None:
    names = names_of(two_classes)
    expected = list(decode_files(two_classes, names, 3, SIZE, workers=0))
    share = _Share(two_classes, names, 3, SIZE)
    share.start()
    results = []
    for index in range(len(names)):
        if index in (0, 5, 19):
            kill(share)
        results.append(share.next())
    share.stop()
    assert all(np.array_equal(one, other) for one, other in zip(results, expected, strict=True))


def test_a_picture_that_kills_every_worker_is_named(two_classes: Path) -> None:
    names = names_of(two_classes)[:4]
    deadly = two_classes / names[1]
    share = _Share(two_classes, names, 3, SIZE)
    share.start()
    assert not isinstance(share.next(), str)
    kill(share)
    deadly.unlink()
    os.mkfifo(deadly)  # whoever opens it waits, and is killed while it does

    def kill_whoever_opens_it() -> None:
        writer = os.open(deadly, os.O_WRONLY)  # returns once the worker has opened it to read
        kill(share)
        os.close(writer)

    killer = threading.Thread(target=kill_whoever_opens_it)
    killer.start()
    assert share.next() == CRASHED
    killer.join()
    assert not isinstance(share.next(), str)
    assert not isinstance(share.next(), str)
    share.stop()


def test_workers_that_cannot_start_are_an_error(two_classes: Path) -> None:
    with pytest.raises(FitnasError, match="does not start"):
        list(decode_files(two_classes / "gone", ["cat/0.png"], 3, (8, 8), workers=1))


def test_stopping_early_leaves_no_process(two_classes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Remembered(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Remembered)
    results = decode_files(two_classes, names_of(two_classes), 3, SIZE, workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert started
    assert all(process.poll() is not None for process in started)
