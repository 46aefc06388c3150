"""`nas cost` of networks that other programs made, and strict runtimes."""

import pytest

from tests.nas.importing.files import node, two_convolutions, write_onnx


@pytest.fixture
def vww(fitnas_data):
    pytest.importorskip("tflite_micro", reason="the extra tflite is not installed")
    return str(fitnas_data / "mcu" / "models" / "vww_96_int8.tflite")


def test_does_the_network_that_i_have_fit(nas, vww):
    document = nas("cost", vww, "--device", "stm32f746", "--json", "--layers").document
    assert document["macs"] == 7_489_664
    assert document["resolution"] == 96
    assert document["runtime"] == "tinyengine"
    assert document["fits"] is True
    assert document["unknown_operators"] == {}
    assert document["schedule"] == {"patches": 1, "split": 0}
    assert max(layer["sram_bytes"] for layer in document["layers"]) == document["peak_sram_bytes"]
    small = nas("cost", vww, "--device", "stm32f412", "--reserve", "sram=230k").out
    assert "fits:" in small
    assert "by patch" in nas("cost", vww, "--device", "stm32f412", "--reserve", "sram=230k", "--layers").out
    assert "DOES NOT FIT: sram" in nas("cost", vww, "--device", "stm32f412", "--reserve", "sram=245k").out


def test_what_patches_would_save_where_its_own_runtime_has_none(nas, vww):
    document = nas("cost", vww, "--json").document
    assert document["runtime"] == "tflm"
    better = document["alternative"]
    assert (better["runtime"], better["peak_sram_bytes"]) == ("c", 18_432)
    assert better["peak_sram_bytes"] * 4 < document["peak_sram_bytes"]
    shown = nas("cost", vww).out
    schedule = f"{better['schedule']['patches']}x{better['schedule']['split']}"
    # what the patches compute twice, clipped at the picture's edges, counted by hand from the published layers
    assert f"runtime c: peak SRAM 18.0 KiB at +14.6 % MACs (--runtime c --schedule {schedule})" in shown
    again = nas("cost", vww, "--runtime", "c", "--schedule", schedule, "--json").document
    assert (again["peak_sram_bytes"], again["macs"]) == (18_432, better["macs"])
    assert nas("cost", vww, "--schedule", schedule).code == 2


def test_a_file_of_floats_is_priced_as_the_int8_network_and_says_so(nas, tmp_path):
    path = two_convolutions(tmp_path / "mine.onnx")
    assert "the file stores float32; counted is the int8 network" in nas("cost", str(path)).out
    document = nas("cost", str(path), "--json").document
    assert (document["network"], document["runtime"], document["macs"]) == ("mine.onnx", "analytic", 18_472)


def test_unknown_operators_are_named(nas, tmp_path):
    nodes = [node("Conv", "picture w", "a"), node("ConvTranspose", "a t", "b"), node("Softmax", "b", "c")]
    path = write_onnx(tmp_path / "odd.onnx", nodes, {"w": (4, 3, 1, 1), "t": (4, 2, 3, 3)}, [1, 3, 8, 8])
    assert nas("cost", str(path), "--json").document["unknown_operators"] == {"ConvTranspose": 1}
    assert "MISSING of unknown operators, whose tensors count: 1 x ConvTranspose" in nas("cost", str(path)).out


def test_what_is_not_read(nas, tmp_path):
    for name, said in (
        ("a.pth", "can hold code and is not read; convert the network to .onnx or .tflite"),
        ("a.keras", "can hold code"),
        ("a.onnx", "0 operators"),
        ("a.tflite", "no TensorFlow Lite file"),
        ("a.txt", "no JSON file"),
    ):
        (tmp_path / name).write_bytes(b"")
        result = nas("cost", str(tmp_path / name))
        assert result.code == 2
        assert said in result.err
    large = tmp_path / "large.tflite"
    with large.open("wb") as file:
        file.truncate((256 << 20) + 1)
    assert "networks of up to 268,435,456 bytes are read" in nas("cost", str(large)).err
    assert nas("cost", str(tmp_path / "missing.tflite")).code == 4


def test_a_strict_runtime_says_what_it_rules_out(nas):
    document = nas("cost", "mobilenet_v2", "--runtime", "tinyengine", "--strict-runtime", "--json").document
    assert 0 < document["schedules"]["accepted"] < document["schedules"]["admitted"]
    shown = nas("cost", "mobilenet_v2", "--runtime", "tinyengine", "--strict-runtime").out
    assert f"the generator of tinyengine accepts {document['schedules']['accepted']} of" in shown
    refused = nas("cost", "mobilenet_v2", "--runtime", "tinyengine", "--schedule", "3x5", "--strict-runtime")
    assert refused.code == 2
    assert "does not accept it" in refused.err
    search = ("search", "--space", "mcunetv2", "--budget", "sram=64k", "--dry-run")
    free, strict = (nas(*search, "--json", *more).document for more in ((), ("--strict-runtime",)))
    assert free["refused_by_generator"] is None
    assert strict["feasible_share"] < free["feasible_share"]
    ruled_out = round((free["feasible_share"] - strict["feasible_share"]) * strict["sampled"])
    assert strict["refused_by_generator"] == ruled_out
    assert f"{ruled_out} of 2,000 sampled networks fit only by a patch schedule" in nas(*search, "--strict-runtime").out


def test_a_strict_search_keeps_what_the_generator_accepts(nas):
    space = ("--space", "mcunetv2", "--set", "backbone=micro", "--set", "resolutions=32", "--budget", "sram=12k")
    score = ("--evaluator", "zero_cost", "--objectives", "zero_cost,macs", "--trials", "4", "--seed", "2")
    how = ("--runtime", "tinyengine", "--strict-runtime")
    result = nas("search", *space, *how, *score, "--backend", "inline", "--run", "strict", "--json")
    assert "sampled networks fit only by a patch schedule that the runtime's generator refuses" in result.err
    members = result.document["front"]["trials"]
    assert members
    for member in members:
        document = nas("cost", f"strict:{member['id']}", "--json").document
        assert document["runs_in_tinyengine"] is True
        assert document["schedule"]["split"] == 0 or document["schedules"]["accepted"] > 0
