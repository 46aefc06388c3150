"""`nas search --quantize per-patch`: patches with bits of their own, priced, scored and marked."""

import json
from pathlib import Path

import pandas as pd
import pytest

SPACE = ("--space", "mcunetv2", "--set", "resolutions=16,24", "--budget", "sram=8k", "--seed", "3", "--quantize")
EASY = ("--supernet-epochs", "1", "--backend", "inline", "--trials", "5")


@pytest.mark.usefixtures("unchecked_exports")
def test_bits_by_patch_are_searched_and_marked(nas, pictures):
    result = nas(
        "search", *SPACE, "per-patch", "--allow-unexecutable", "--per-patch", "lambda=0.1,outliers=none", *EASY,
        "--data", str(pictures), "--run", "q", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert [each["metric"] for each in result.document["front"]["objectives"]] == ["int8_accuracy", "bitops"]
    assert "QuantMCU" in result.document["unexecutable"]
    table = pd.read_parquet("runs/q/trials.parquet")
    assert (table["bitops_int8"] == 64 * table["macs"]).all()
    patched = table["patches"] > 1
    assert patched.any()
    assert (table["bitops"] < table["bitops_int8"])[patched].all()
    assert (table["bitops"] == table["bitops_int8"])[~patched].all()
    assert (table["peak_sram_bytes"] <= 8192).all()
    assert table["int8_top1"].between(0, 1).all()

    row = table[patched].iloc[0]
    shown = nas("show", "q", row["id"]).out
    assert f"{row['bitops_int8'] / row['bitops']:.2f} times as many" in shown
    assert "not executable: patches" in shown
    assert nas("report", "q").code == 0
    assert "Not executable: patches" in Path("runs/q/report.html").read_text()
    assert nas("export", "q", "--pick", row["id"], "--out", "out").code == 0
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert "QuantMCU" in manifest["unexecutable"]
    assert manifest["promised"]["bitops"] == row["bitops"]
    assert "Not executable" in Path("out/README.md").read_text()


def test_networks_that_are_trained_alone_have_bits_by_patch_too(nas, pictures):
    result = nas(
        "search", *SPACE, "per-patch", "--allow-unexecutable", "--fidelity", "epochs=1", "--trials", "3",
        "--schedule", "2x3", "--backend", "inline", "--data", str(pictures), "--run", "t",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "not executable: patches" in result.out
    table = pd.read_parquet("runs/t/trials.parquet")
    assert (table["bitops"] < table["bitops_int8"]).any()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("per-patch",), "--allow-unexecutable"),
        (("per-pach", "--allow-unexecutable"), "fp32, int8, wN"),
        (("int8", "--per-patch", "lambda=0.1"), "give both"),
        (("per-patch", "--allow-unexecutable", "--schedule", "none"), "there are no patches"),
        (("per-patch", "--allow-unexecutable", "--mac-convention", "fvcore"), "fvcore"),
        (("per-patch", "--allow-unexecutable", "--table", "known.csv"), "looks at values"),
        (("per-patch", "--allow-unexecutable", "--per-patch", "lamda=0.1"), "did you mean 'lambda'"),
    ],
)
def test_what_cannot_be_is_wrong_use(nas, arguments, said):
    result = nas("search", *SPACE, *arguments)
    assert result.code == 2
    assert said in result.err


def test_a_space_without_patches_is_wrong_use(nas):
    result = nas("search", "--space", "vit", "--quantize", "per-patch", "--allow-unexecutable")
    assert result.code == 2
    assert "no patch schedules" in result.err
