"""Exports to C: what is promised, what is refused, what verify finds."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import nas.deployment.qemu.toolchain
from nas.api import Run
from nas.deployment import export_member
from nas.deployment.c_code import host
from nas.deployment.c_code.target import target, target_names
from nas.deployment.qemu.toolchain import missing_tools
from nas.deployment.samples import read_samples, write_samples
from nas.deployment.verification import Check, Verification, verify_folder
from predictors.hardware.price import price_table
from search_spaces.core.errors import BrokenPromise, FitnasError, WrongUse

with_board = pytest.mark.skipif(bool(missing_tools()), reason="needs gcc-arm-none-eabi and qemu-system-arm")
with_compiler = pytest.mark.skipif(not host.compilers(), reason="needs a C compiler: apt-get install gcc")


@pytest.fixture(scope="module")
def exported(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_member(tiny_run, "knee", "c", tmp_path_factory.mktemp("c") / "fw", target="cortex-m4")


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(exported, tmp_path / "fw"))


def manifest_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return document


def by_figure(found: Verification) -> Mapping[str, Check]:
    return {check.figure: check for check in found.checks}


@with_board
@with_compiler
def test_every_promise_is_measured_and_holds(folder: Path) -> None:
    found = verify_folder(folder)
    checks = by_figure(found)
    assert found.kind == "c"
    assert not [check for check in found.checks if check.holds is not True]
    assert checks["peak_sram_bytes"].measured == checks["peak_sram_bytes"].promised
    assert checks["other logits on cortex-m4"].measured == 0
    assert {"flash_bytes", "instructions", "budget sram", "budget flash"} <= set(checks)
    assert all(checks[f"other logits by {compiler}"].measured == 0 for compiler in host.compilers())
    assert manifest_of(folder)["verified"] == found.to_document()


def test_the_promise_is_that_of_its_runtime(exported: Path, tiny_run: Run) -> None:
    manifest, knee = manifest_of(exported), tiny_run.knee()
    space = tiny_run.parts.space
    table = space.decode(space.population([knee.architecture]))
    schedule = manifest["schedule"]
    told = (schedule["patches"], schedule["split"]) if schedule["split"] else "none"
    priced = price_table(table, "c", schedule=told)
    assert manifest["runtime"] == "c"
    assert manifest["promised"]["peak_sram_bytes"] == priced["peak_sram_bytes"][0] <= 24 * 1024
    assert manifest["promised"]["flash_bytes"] == pytest.approx(priced["flash_bytes"][0], rel=0.02)
    assert manifest["searched"]["peak_sram_bytes"] == knee.metrics["peak_sram_bytes"]


@with_compiler
def test_the_folders_own_makefile_runs_it(folder: Path) -> None:
    done = subprocess.run(
        ["make", "CC=" + host.compilers()[0]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("picture ") == len(read_samples(folder)[0])
    assert "NOT" not in done.stdout


@with_board
def test_the_firmware_runs_on_the_board(folder: Path) -> None:
    done = subprocess.run(["make", "qemu"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("picture ") == len(read_samples(folder)[0])
    assert "NOT" not in done.stderr


@with_compiler
def test_broken_promises_are_found(folder: Path) -> None:
    manifest = manifest_of(folder)
    manifest["promised"] |= {"peak_sram_bytes": manifest["promised"]["peak_sram_bytes"] + 16, "flash_bytes": 1000}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    inputs, outputs = read_samples(folder)
    changed = outputs.copy()
    changed[0, 0] ^= 1
    write_samples(folder, inputs, changed)
    found = verify_folder(folder)
    broken = {check.figure for check in found.broken}
    assert {f"arena by {host.compilers()[0]}", f"other logits by {host.compilers()[0]}"} <= broken
    assert missing_tools() or {"flash_bytes", "peak_sram_bytes", "other logits on cortex-m4"} <= broken
    with pytest.raises(BrokenPromise, match="arena by") as caught:
        found.raise_broken()
    assert caught.value.exit_code == 6


def test_without_tools_what_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas.deployment.qemu.toolchain.shutil, "which", lambda name: None)
    checks = by_figure(verify_folder(folder))
    assert checks["arena on this machine"].holds is None
    assert "apt-get install --no-install-recommends gcc" in checks["arena on this machine"].how
    assert checks["flash_bytes"].holds is None
    assert "qemu-system-arm" in checks["flash_bytes"].how


@with_compiler
def test_a_source_that_is_damaged_is_told(folder: Path) -> None:
    source = folder / "network.c"
    source.write_text(source.read_text()[:2000])
    with pytest.raises(FitnasError, match=r"ended with 1:\n"):
        verify_folder(folder)


def test_an_unknown_target_is_refused(tiny_run: Run, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="did you mean 'cortex-m4'"):
        export_member(tiny_run, "knee", "c", tmp_path / "out", target="cortex-m44")
    assert not (tmp_path / "out").exists()
    assert {"portable", "cortex-m4", "cortex-m7", "cortex-m55"} == set(target_names())
    assert target("cortex-m7").board == "cortex-m7"
