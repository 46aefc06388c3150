import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.cli.main import main

COMMAND = [sys.executable, "-c", "from nas.cli.main import run; run()"]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def nas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs a command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def nas_process(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a command line as a process of its own, in an empty folder."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=tmp_path, env=environment, text=True, **{**pipes, **options}
        )
        started.append(process)
        return process

    yield start  # type: ignore[misc]
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _draw_pictures(folder: Path) -> Path:
    """Two classes that can be told apart: bright discs and dark squares, 24 pictures of 32 x 32 each."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for name, mask, level in (
        ("disc", (rows - 16) ** 2 + (columns - 16) ** 2 < 90, 220),
        ("square", (abs(rows - 16) < 7) & (abs(columns - 16) < 7), 40),
    ):
        (folder / name).mkdir(parents=True)
        for index in range(24):
            image = rng.integers(100, 150, (32, 32, 3))
            image[np.roll(mask, rng.integers(-4, 5, 2), (0, 1))] = level
            Image.fromarray(image.astype(np.uint8)).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of class folders."""
    return _draw_pictures(tmp_path / "pictures")


@pytest.fixture(scope="session")
def shared_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for tests that leave it as it is."""
    return _draw_pictures(tmp_path_factory.mktemp("data") / "pictures")
