"""What every export format keeps to."""

import json
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.api import Run
from nas.deployment import ELASTIC, export_member, exporter, format_names, writes_whole_run
from nas.member import network_of
from nas.prediction import classifier_of_folder
from nas.pricing import EXACT_COLUMNS
from search_spaces.core.errors import WrongUse
from tests.tiny_run import search_stitches


@pytest.fixture(scope="module", params=format_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def run(name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One that the format can write."""
    if name == ELASTIC:
        return search_stitches(tmp_path_factory.mktemp("stitched"))
    found: Run = request.getfixturevalue("tiny_run")
    return found


@pytest.fixture(scope="module")
def folder(name: str, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_member(run, None, name, tmp_path_factory.mktemp(name) / "out")


@pytest.fixture
def member_folder(name: str, folder: Path) -> Path:
    if writes_whole_run(name):
        pytest.skip(f"{name} holds a run, not one network")
    return folder


def test_there_are_formats() -> None:
    assert {"pytorch", "timm", "onnx", "tflite", "c", "optuna"} <= set(format_names())
    with pytest.raises(WrongUse, match="did you mean 'pytorch'"):
        exporter("pytorc")


@pytest.mark.usefixtures("unchecked_exports")  # `folder` is checked, it was made before
def test_a_folder_with_files_is_refused_and_kept_without_force(folder: Path, name: str, run: Run) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(WrongUse, match="--force"):
        export_member(run, None, name, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert export_member(run, None, name, folder, force=True) == folder


def test_a_file_in_the_way_is_refused(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(WrongUse, match="not a folder"):
        export_member(run, None, name, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_options_of_other_formats_are_refused(name: str, run: Run, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="has no option --no-such"):
        export_member(run, None, name, tmp_path / "out", no_such="1")
    assert not (tmp_path / "out").exists()


def test_the_manifest_promises_the_trials_figures(member_folder: Path, tiny_run: Run) -> None:
    knee = tiny_run.knee()
    manifest = json.loads((member_folder / "manifest.json").read_text())
    assert manifest["id"] == knee.architecture.id
    searched = {column: knee.metrics[column] for column in EXACT_COLUMNS}
    if manifest["runtime"] == "tinyengine":
        assert manifest["promised"] == searched
        assert manifest["schedule"] == {"patches": knee.patches, "split": knee.split}
    else:  # the format has a runtime of its own, in which memory is another and the operators are the same
        assert set(manifest["promised"]) >= set(EXACT_COLUMNS)
        assert manifest["promised"]["macs_layerwise"] == searched["macs_layerwise"]
        assert manifest["searched"]["peak_sram_bytes"] == searched["peak_sram_bytes"]
    assert manifest["data"]["source"] == "pictures"


def test_the_weights_load_and_give_equal_logits(name: str, member_folder: Path, tiny_run: Run) -> None:
    if name in ("tflite", "c"):
        pytest.skip(f"computes in integers: tests/nas/deployment/test_{name}.py compares it with the integer reference")
    network, _ = network_of(tiny_run, tiny_run.knee())
    found = classifier_of_folder(member_folder)
    size = tiny_run.parts.space.input_size(tiny_run.knee().architecture)
    probe = torch.from_numpy(np.random.default_rng(0).normal(size=(3, *size)).astype(np.float32))
    with torch.no_grad():
        allowed = 1e-4 if name == "onnx" else 1e-5  # other kernels than torch's
        assert float((network(probe) - found.network(probe)).abs().max()) <= allowed
    assert list(found.class_names) == ["disc", "square"]


def test_nothing_of_this_machine_is_in_it(folder: Path, run: Run) -> None:
    places = {str(run.path.parents[1]), str(folder.parent), str(Path.home()), str(Path.cwd()), sys.prefix}
    secrets = {place.encode() for place in places if len(place) > 1}
    if len(socket.gethostname()) > 4:
        secrets.add(socket.gethostname().encode())
    for path in folder.rglob("*"):
        assert path.name != "__pycache__"
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in secrets if word in content], path
