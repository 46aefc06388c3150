import contextlib
import functools
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nas.cli.main import main
from tests.flows.warm_process import WarmProcess
from tests.nas.training.data.sound_files import write_words
from tests.tiny_run import draw_pictures

DRAWN: dict[str, Callable[[Path], Path]] = {"pictures": draw_pictures, "words": lambda folder: write_words(folder, 15)}
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


@pytest.fixture(scope="session")
def _searched(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Result]]:
    """Searches once with given arguments, and gives the folder and what was told."""

    @functools.cache
    def search(kind: str, *arguments: str) -> tuple[Path, Result]:
        folder = tmp_path_factory.mktemp("searched")
        data = DRAWN[kind](folder / kind)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["search", *arguments, "--data", str(data)])
        return folder, Result(code, out.getvalue(), err.getvalue())

    return search


@pytest.fixture
def search_once(
    nas: Callable[..., Result], pictures: Path, tmp_path: Path, _searched: Callable[..., tuple[Path, Result]]
) -> Callable[..., Result]:
    """Searches `pictures`, or the `words` beside them; the second test that does the same gets a copy of the run."""

    def search(*arguments: str, data: str = "pictures") -> Result:
        folder, result = _searched(data, *arguments)
        assert result.code == 0, result.err
        shutil.copytree(folder / "runs", tmp_path / "runs", dirs_exist_ok=True)
        if data != pictures.name:
            shutil.copytree(folder / data, tmp_path / data)
        for config in (tmp_path / "runs").glob("*/config.toml"):
            config.write_text(config.read_text().replace(str(folder / data), str(tmp_path / data)))
        return result

    return search


@pytest.fixture
def warm_process(tmp_path: Path) -> Iterator[Callable[..., WarmProcess]]:
    """Starts a command line as a process of its own, in an empty folder; see `WarmProcess`."""
    started: list[WarmProcess] = []

    def start(*arguments: str, **options: Any) -> WarmProcess:
        started.append(WarmProcess(arguments, tmp_path, **options))
        return started[-1]

    yield start
    for process in started:
        process.close()


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


# plotly's parallel coordinates and 3-D need WebGL, which a machine without a graphics processor computes itself
_BROWSER_FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """An installed Chromium, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs an installed Chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=_BROWSER_FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of class folders."""
    return draw_pictures(tmp_path / "pictures")


@pytest.fixture(scope="session")
def shared_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for tests that leave it as it is."""
    return draw_pictures(tmp_path_factory.mktemp("data") / "pictures")
