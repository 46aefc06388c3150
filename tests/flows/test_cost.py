"""`nas cost` and the lists, without a run."""

import json

import pytest

from search_spaces.core.registry import space_class


def test_a_published_network_by_name(nas):
    document = nas("cost", "mcunetv2_large", "--runtime", "analytic", "--json").document
    assert document["schedule"] == {"patches": 1, "split": 0}
    assert document["peak_sram_bytes"] == 1372 * 1024  # MCUNetV2 without patches, as published
    assert document["alternative"]["schedule"] == {"patches": 4, "split": 4}
    assert document["alternative"]["peak_sram_bytes"] == pytest.approx(214.4 * 1024, abs=512)
    assert document["macs"] == 216_815_264
    assert document["resolution"] == 224
    classes = document["operator_classes"]  # the columns of rows of counted networks
    assert sum(count for name, count in classes.items() if name.startswith("macs ")) == document["macs_layerwise"]
    assert classes["number depthwise"] > 10


def test_a_published_network_outside_its_own_space_is_flagged(nas):
    document = nas("cost", "autoformer_tiny", "--json").document
    source, *outside = document["notes"]
    assert "microsoft/Cream" in source
    assert len(outside) == 3
    assert all(line.startswith("outside its own published space, preset T: '3.0'") for line in outside)
    assert "nearest: 3.5" in nas("cost", "autoformer_tiny").out
    assert len(nas("cost", "autoformer_small", "--json").document["notes"]) == 1
    assert list(nas("spaces", "vit", "--json").document["outside"]) == ["autoformer_tiny"]
    assert "autoformer_tiny is outside its own published space" in nas("spaces", "vit").out


def test_a_schedule_may_be_given(nas):
    patched = nas("cost", "mobilenet_v2", "--schedule", "4x5", "--runtime", "analytic", "--json", "--layers").document
    assert patched["peak_sram_bytes"] == pytest.approx(171.5 * 1024)
    assert sum(layer["macs"] for layer in patched["layers"]) == patched["macs"]
    assert max(layer["sram_bytes"] for layer in patched["layers"]) == patched["peak_sram_bytes"]
    assert [layer["patched"] for layer in patched["layers"]].count(
        True
    ) == 13  # the 12 convolutions of the paper, one addition
    refused = nas("cost", "mobilenet_v2", "--schedule", "4x99")
    assert refused.code == 2
    assert "4x99" in refused.err


def test_a_device_decides_the_schedule(nas):
    document = nas("cost", "mcunetv2_large", "--device", "stm32h743", "--json").document
    assert document["fits"] is True
    assert document["schedule"]["patches"] > 1
    small = nas("cost", "mcunetv2_large", "--device", "stm32f412")
    assert "DOES NOT FIT" in small.out


def test_the_input_image_may_be_counted(nas):
    without = nas("cost", "mcunetv2_large", "--schedule", "4x4", "--json").document["peak_sram_bytes"]
    with_image = nas("cost", "mcunetv2_large", "--schedule", "4x4", "--count-input", "--json").document
    assert with_image["peak_sram_bytes"] > without


def test_the_peak_is_marked(nas):
    shown = nas("cost", "mcunetv2_large", "--schedule", "4x4", "--runtime", "analytic", "--layers")
    marked = [line for line in shown.out.splitlines() if "<- peak" in line]
    assert marked
    assert all("219,770" in line for line in marked)


def test_an_mcunet_configuration(nas, fitnas_data):
    path = fitnas_data / "mcu" / "net_configs" / "mcunet-256kb-1mb_imagenet.json"
    document = nas("cost", str(path), "--json").document
    assert document["runtime"] == "tinyengine"
    assert document["peak_sram_bytes"] == pytest.approx(214.6 * 1024, abs=512)
    assert round(document["macs"] / 1e6, 1) == 67.3


def test_lists(nas):
    assert "mcunetv2" in [row["space"] for row in nas("spaces", "--json").document]
    assert nas("spaces", "mcunetv2").code == 0
    devices = {row["name"]: row for row in nas("devices", "--json").document}
    assert {"stm32f412", "stm32f746", "stm32h743", "stm32l4r5", "nrf52840", "esp32-s3", "rp2040"} <= set(devices)
    assert nas("devices", "stm32f746").code == 0
    assert "evolution" in nas("strategies", "--json").document
    assert nas("list").code == 0
    findings = json.loads(nas("doctor", "--json").out)
    assert {"python", "torch", "disk", "accelerator"} <= {finding["what"] for finding in findings}


def test_a_dry_run_writes_nothing(nas, tmp_path):
    result = nas("search", "--space", "mcunetv2", "--budget", "sram=16k", "--data", "digits", "--dry-run", "--json")
    assert result.code == 0
    document = result.document
    assert 0 < document["feasible_share"] < 1
    assert document["expected_seconds"]["supernet"] > 0
    assert {row["resolution"] for row in document["admitted"]} == {16, 24, 32}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("space", "budget", "size"),
    [
        ("tinynet", "macs=100M", [3, 256, 256]),
        ("tinyvit", "params=6M", [3, 224, 224]),
        ("vit", "params=6M", [3, 224, 224]),
        ("mcunetv2", "sram=256k", None),
    ],
)
def test_without_data_the_published_input_is_looked_at(nas, tmp_path, space, budget, size):
    result = nas("search", "--space", space, "--budget", budget, "--dry-run", "--json")
    assert result.code == 0, result.err
    published = space_class(space).configured({}, None)
    size = size or list(published.input_size(published.extremes()[1]))
    assert result.document["input"] == size
    assert result.document["classes"] == published.settings.classes == 1000
    assert result.document["expected_seconds"] is None
    assert f"the space's published input, 3 channels, up to {size[1]}x{size[2]} pixels, 1,000 classes" in result.err
    assert "digits" not in result.err
    assert not list(tmp_path.iterdir())
    assert "expected time: give --data" in nas("search", "--space", space, "--budget", budget, "--dry-run").out
