"""Corrupt files: each is priced or refused in words, within the limits of the process that reads it.

Fifty mutations a sample; `benchmarks/fuzz_import.py` makes a thousand.
"""

from pathlib import Path

import pytest

from nas import isolated
from tests.nas.importing.files import two_convolutions

MUTATIONS = 50


def check(sample: Path) -> None:
    found = isolated.call("tests.nas.importing.mutations", "main", str(sample), "0", str(MUTATIONS), seconds=120)
    assert set(found["outcomes"]) == {"priced", "refused"}, found
    assert sum(found["outcomes"].values()) == MUTATIONS
    assert found["peak_bytes"] < isolated.MEMORY_BYTES


@pytest.mark.parametrize("name", ["vww_96_int8", "ic_resnet_int8", "person_detect", "mcunetv2_large"])
def test_tflite(fitnas_data: Path, name: str) -> None:
    pytest.importorskip("tflite_micro", reason="the extra tflite is not installed")
    check(fitnas_data / "mcu" / "models" / f"{name}.tflite")


def test_onnx(tmp_path: Path) -> None:
    check(two_convolutions(tmp_path / "a.onnx"))
