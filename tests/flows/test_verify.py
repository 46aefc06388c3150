"""From a search in the runtime that will execute the network to the proof that it keeps what was promised."""

import json
from pathlib import Path

import pytest

from nas.deployment.qemu.toolchain import missing_tools
from tests.tiny_run import draw_pictures


def test_search_export_verify(nas, tmp_path):
    data = draw_pictures(tmp_path / "pictures")
    searched = nas(
        "search", "--space", "mcunetv2", "--set", "resolutions=16", "--budget", "sram=64k", "--runtime", "tflm",
        "--data", str(data), "--trials", "6", "--supernet-epochs", "1", "--run", "fw", "--quiet",
    )  # fmt: skip
    assert searched.code == 0, searched.err
    assert "nas export fw --pick knee --to tflite --out fw-knee/" in searched.out
    exported = nas("export", "fw", "--to", "tflite", "--out", "out")
    assert exported.code == 0, exported.err
    assert "next: nas verify out" in exported.out
    assert "arena" in Path("out/README.md").read_text()
    verified = nas("verify", "out")
    assert verified.code == 0, verified.err
    assert "budget sram" in verified.out
    document = nas("verify", "out", "--json").document
    assert document["holds"] is True
    assert {check["figure"] for check in document["checks"]} >= {"arena_head_bytes", "other logits in litert"}

    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["promised"]["peak_sram_bytes"] == manifest["searched"]["peak_sram_bytes"] <= 64 * 1024
    manifest["limits"]["peak_sram_bytes"] = 8 * 1024
    Path("out/manifest.json").write_text(json.dumps(manifest))
    broken = nas("verify", "out")
    assert broken.code == 6, broken.out + broken.err
    assert "BROKEN" in broken.out
    assert "budget sram" in broken.err
    told = nas("cost", "out/architecture.json", "--json").document
    assert told["runtime"] == "tflm"
    assert told["peak_sram_bytes"] == manifest["promised"]["peak_sram_bytes"]

    content = Path("out/model.tflite").read_bytes()
    Path("out/model.tflite").write_bytes(content[:5000])
    damaged = nas("verify", "out")
    assert damaged.code == 2
    assert "model.tflite" in damaged.err
    assert "Traceback" not in damaged.err


def test_wrong_use(nas, tmp_path):
    assert nas("verify", "nowhere").code == 4
    refused = nas("search", "--space", "vit", "--runtime", "tflm", "--dry-run")
    assert refused.code == 2
    assert "does not execute" in refused.err
    patched = nas("cost", "cct_2_3x1_32", "--runtime", "tflm", "--schedule", "2x3")
    assert patched.code == 2
    assert "no patches" in patched.err


def test_search_generate_verify(nas, tmp_path):
    data = draw_pictures(tmp_path / "pictures")
    searched = nas(
        "search", "--space", "mcunetv2", "--set", "resolutions=24", "--budget", "sram=10k", "--runtime", "c",
        "--data", str(data), "--trials", "6", "--supernet-epochs", "1", "--run", "fw", "--quiet",
    )  # fmt: skip
    assert searched.code == 0, searched.err
    exported = nas("export", "fw", "--to", "c", "--out", "out")
    assert exported.code == 0, exported.err
    verified = nas("verify", "out", "--json")
    assert verified.code == 0, verified.err
    document = verified.document
    assert document["holds"] is True
    promised = json.loads(Path("out/manifest.json").read_text())["promised"]
    assert promised["peak_sram_bytes"] <= 10 * 1024
    refused = nas("export", "fw", "--to", "onnx", "--target", "cortex-m4", "--out", "other")
    assert refused.code == 2
    assert "has no option --target" in refused.err


@pytest.mark.skipif(bool(missing_tools()), reason="needs gcc-arm-none-eabi and qemu-system-arm")
def test_profile_on_a_simulated_core(nas, tmp_path):
    asked = ["profile", "--space", "mcunetv2", "--set", "backbone=micro", "--set", "resolutions=16"]
    asked += ["--device", "cortex-m4", "--samples", "2", "--out", "m4.csv"]
    refused = nas(*asked)
    assert refused.code == 2
    assert "give --runtime c" in refused.err
    found = nas(*asked, "--runtime", "c")
    assert found.code == 0, found.err
    assert "counted in simulation" in found.out
    again = nas(*asked, "--runtime", "c", "--json")
    assert [network["passes"] for network in again.document["networks"]] == [None, None]
    assert again.document["target"]["precision"] == "int8"
