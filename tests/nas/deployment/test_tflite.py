"""Exports to TensorFlow Lite Micro: what is promised, what is refused, what verify finds."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas.tflite_door
from nas.api import Run
from nas.deployment import export_member
from nas.deployment.samples import SAMPLES_FILE, read_samples, sample_inputs, write_samples
from nas.deployment.tflite import FILE_NAME
from nas.deployment.verification import Check, Verification, kind_names, verify_folder
from nas.deployment.verification.counting import macs
from nas.importing import import_network
from nas.member import pictures_of
from nas.prediction import classifier_of_folder
from predictors.hardware.memory.tflm import head_bytes, tail_bytes
from search_spaces.core.errors import BrokenPromise, FitnasError, NotFound, WrongUse


@pytest.fixture(scope="module")
def exported(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_member(tiny_run, "knee", "tflite", tmp_path_factory.mktemp("tflite") / "fw")


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(exported, tmp_path / "fw"))


def manifest_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return document


def by_figure(found: Verification) -> Mapping[str, Check]:
    return {check.figure: check for check in found.checks}


def test_every_promise_is_measured_and_holds(folder: Path) -> None:
    found = verify_folder(folder)
    checks = by_figure(found)
    assert found.kind == "tflite"
    assert not [check for check in found.checks if check.holds is not True and not check.figure.startswith("budget")]
    assert checks["arena_head_bytes"].measured == checks["arena_head_bytes"].promised
    assert checks["other logits in tflm"].measured == checks["other logits in litert"].measured == 0
    assert manifest_of(folder)["verified"] == found.to_document()


def test_the_promise_is_that_of_its_runtime(exported: Path, tiny_run: Run) -> None:
    manifest, knee = manifest_of(exported), tiny_run.knee()
    assert manifest["runtime"] == "tflm"
    assert manifest["searched"]["runtime"] == "tinyengine"
    assert manifest["searched"]["peak_sram_bytes"] == knee.metrics["peak_sram_bytes"]
    promised = manifest["promised"]
    assert promised["macs"] == promised["macs_layerwise"] == knee.metrics["macs_layerwise"]
    assert promised["file_bytes"] == (exported / FILE_NAME).stat().st_size
    assert promised["peak_sram_bytes"] == promised["arena_head_bytes"] + promised["arena_tail_bytes"]
    assert manifest["limits"]["peak_sram_bytes"] == 24 * 1024


def test_a_network_over_its_budget_breaks_its_promise(folder: Path) -> None:
    """The run's budget was held to in TinyEngine, whose arena is smaller."""
    manifest = manifest_of(folder)
    manifest["limits"] = {"peak_sram_bytes": manifest["promised"]["peak_sram_bytes"] - 1024}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    found = verify_folder(folder)
    assert [check.figure for check in found.broken] == ["budget sram"]
    with pytest.raises(BrokenPromise, match=r"budget sram: .* measured, at most") as caught:
        found.raise_broken()
    assert caught.value.exit_code == 6


def test_other_promises_are_broken(folder: Path) -> None:
    manifest = manifest_of(folder)
    changed = {"arena_head_bytes", "arena_tail_bytes", "macs_layerwise", "weight_bytes", "file_bytes"}
    for figure in changed:
        manifest["promised"][figure] = round(1.02 * manifest["promised"][figure])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert {check.figure for check in verify_folder(folder).broken} - {"budget sram"} == changed


def test_other_answers_are_found(folder: Path) -> None:
    inputs, outputs = read_samples(folder)
    changed = outputs.copy()
    changed[0, 0] ^= 1
    write_samples(folder, inputs, changed)
    checks = by_figure(verify_folder(folder))
    assert checks["other logits in tflm"].measured == checks["other logits in litert"].measured == 1


def test_without_the_packages_what_can_be_checked_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas.tflite_door, "missing_packages", lambda: ["tflite-micro"])
    checks = by_figure(verify_folder(folder))
    assert checks["file_bytes"].holds is True
    assert checks["arena_head_bytes"].holds is None
    assert "pip install 'fitnas[tflite]'" in checks["arena_head_bytes"].how


def test_a_missing_package_is_named(tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas.tflite_door, "missing_packages", lambda: ["tflite-micro"])
    with pytest.raises(WrongUse, match=r"--to tflite needs the packages tflite-micro.*fitnas\[tflite\]"):
        export_member(tiny_run, "knee", "tflite", tmp_path / "fw")
    assert not (tmp_path / "fw").exists()


def test_damage_is_told_with_the_files_name(folder: Path) -> None:
    whole = (folder / FILE_NAME).read_bytes()
    for content in (b"", whole[:1000], whole[:-64], bytes(len(whole))):
        (folder / FILE_NAME).write_bytes(content)
        with pytest.raises(FitnasError, match=r"model\.tflite|damaged"):
            verify_folder(folder)
    (folder / FILE_NAME).write_bytes(whole)
    (folder / SAMPLES_FILE).write_bytes(b"no tensors")
    with pytest.raises(FitnasError, match=r"verification\.safetensors is damaged"):
        verify_folder(folder)
    (folder / SAMPLES_FILE).unlink()
    with pytest.raises(NotFound, match=r"verification\.safetensors is missing"):
        verify_folder(folder)


def test_an_exported_file_predicts_as_the_reference(exported: Path, tiny_run: Run) -> None:
    found = classifier_of_folder(exported)
    pictures = sample_inputs(pictures_of(tiny_run, include_test=True), found.reading.size)
    _, outputs = read_samples(exported)
    how = manifest_of(exported)["tflite"]["output"]
    logits = (outputs.astype(np.float64) - how["zero_point"]) * how["scale"]
    assert np.allclose(found.network(pictures).numpy(), logits, rtol=1e-6)


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"manifest\.json is missing"):
        verify_folder(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(FitnasError, match="damaged"):
        verify_folder(tmp_path)
    (tmp_path / "manifest.json").write_text('{"promised": {}}')
    with pytest.raises(WrongUse, match=r"nothing that can be verified.*model\.tflite \(tflite\)"):
        verify_folder(tmp_path)


@pytest.mark.usefixtures("unchecked_exports")
@pytest.mark.parametrize("kind", ["pytorch", "onnx"])
def test_other_kinds_are_measured_too(kind: str, tiny_run: Run, tmp_path: Path) -> None:
    folder = export_member(tiny_run, "knee", kind, tmp_path / "out")
    found = verify_folder(folder)
    assert found.kind == kind
    assert {check.figure for check in found.checks} >= {"params", "macs_layerwise", "difference of logits"}
    assert all(check.holds for check in found.checks)
    manifest = manifest_of(folder)
    manifest["promised"]["params"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert [check.figure for check in verify_folder(folder).broken] == ["params"]


def test_what_holds() -> None:
    assert Check("a", 100, 101, "", 0.01).holds
    assert not Check("a", 100, 102, "", 0.01).holds
    assert Check("a", 100, 90, "", at_most=True).holds
    assert not Check("a", 100, 90, "").holds
    assert not Check("a", 100, float("nan"), "", 0.5).holds
    assert not Check("a", 100, float("nan"), "", at_most=True).holds
    assert Check("a", 100, None, "").holds is None
    assert {"tflite", "pytorch", "onnx"} <= set(kind_names())


def test_torchs_counter_counts_products() -> None:
    import torch

    assert macs(torch.nn.Conv2d(3, 8, 3, 1, 1), torch.zeros(1, 3, 4, 4)) == 4 * 4 * 9 * 3 * 8


# heads of TensorFlow Lite Micro's own interpreter on files of others
MEASURED = {
    "vww_96_int8": (73_728, 29_952),
    "person_detect": (55_296, 29_968),
    "ic_resnet_int8": (49_152, 6_832),
}


@pytest.mark.parametrize("name", MEASURED)
def test_files_of_others_are_priced_as_the_interpreter_measured_them(name: str, fitnas_data: Path) -> None:
    path = fitnas_data / "mcu" / "models" / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    table = import_network(path).table
    head, tail = MEASURED[name]
    assert int(head_bytes(table)[0]) == head
    assert int(tail_bytes(table)[0]) == pytest.approx(tail, abs=700)  # reshapes and softmax are folded in the table
