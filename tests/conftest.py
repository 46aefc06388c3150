"""What every test may ask for."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nas.api import Run

# Networks of tests are small: a second thread waits more than it works. Before torch is imported; processes inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def fitnas_data() -> Path:
    """The folder of outside data; skips, with the reason, where the machine has none."""
    named = os.environ.get("FITNAS_DATA")
    if not named:
        pytest.skip("FITNAS_DATA does not name the folder of outside data")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"FITNAS_DATA names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def run_python() -> Callable[[str], str]:
    """Runs code in a fresh interpreter and gives what it printed; fails where it fails."""

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> "Run":
    """A run of eight trials on colour pictures, under a budget that binds, for tests that leave it as it is."""
    from tests.tiny_run import search

    return search(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def unchecked_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports are written without their proof in a clean interpreter, for tests of something else that export."""
    from nas.deployment import exporter, format_names

    for name in format_names():
        module = exporter(name)
        if hasattr(module, "check"):
            monkeypatch.setattr(module, "check", lambda *_: None)


@pytest.fixture(scope="session")
def _ray_cluster() -> Iterator[tuple[str, dict[str, str]]]:
    """A cluster of two cores that searches share, and what their environment must hold."""
    from nas.execution.ray_cluster import PrivateCluster

    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef"}
    started = PrivateCluster(2, 200 * 2**20, secret)
    try:
        yield started.wait().address, secret
    finally:
        started.close()


@pytest.fixture
def ray_cluster(_ray_cluster: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a cluster that is up: starting one takes seconds."""
    address, secret = _ray_cluster
    for name, value in secret.items():
        monkeypatch.setenv(name, value)
    return address
