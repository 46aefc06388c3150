"""Trials, and a disk that is really small, for the tests of this folder."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas.core.trial import Trial
from search_spaces.core.architecture import Architecture

SMALL_DISK_BYTES = 1 << 20


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    def make(number: int, state: str = "complete", **metrics: float) -> Trial:
        architecture = Architecture("toy", {"classes": 10}, {"kernel": 3, "width": 0.5, "number": number})
        return Trial(number, architecture, state, metrics)  # type: ignore[arg-type]

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; skips where the test may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("no mount command")
    options = f"size={SMALL_DISK_BYTES}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
