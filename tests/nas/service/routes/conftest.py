"""A service over a run that a real search made, over one whose accuracies are made up, and over damaged ones."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.synthetic_run import write_run
from nas.api import Run
from nas.run import StoredRun
from tests.served import serve


@pytest.fixture(scope="package")
def runs_folder(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`signs` was searched; `made-up` has failed trials and three objectives; `hurt` and `half` cannot be read."""
    root = tmp_path_factory.mktemp("served") / "runs"
    shutil.copytree(tiny_run.path, root / "signs")
    write_run(root, "made-up", 60, failed=3, objectives="accuracy,macs,sram")
    write_run(root, "empty", 0, planned=10, state="searching")
    write_run(root, "hurt", 3).directory.database.write_bytes(b"no database" * 1000)
    (root / "half").mkdir()
    (root / "half" / "config.toml").write_text('space = "mcunetv2"\n')
    return root


@pytest.fixture(scope="package")
def client(runs_folder: Path) -> Iterator[httpx.Client]:
    """For tests that leave the runs as they are."""
    with serve(runs_folder) as client:
        yield client


@pytest.fixture(scope="package")
def searched(runs_folder: Path) -> StoredRun:
    return StoredRun.load(runs_folder / "signs")
