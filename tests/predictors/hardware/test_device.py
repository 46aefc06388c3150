"""Devices: the figures of the data sheets, budgets less the reserve, errors that name the key."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from pydantic import ValidationError

from predictors.core.metric import METRICS
from predictors.hardware.device import Device, device_names, load_device, parse_reserve
from search_spaces.core.errors import NotFound, WrongUse

KIB = 1024
MIB = 1024 * 1024

# name: arena bytes, all RAM of the banks, flash, clock in MHz
DATA_SHEETS = {
    "stm32f412": (256 * KIB, 256 * KIB, 1 * MIB, 100),
    "stm32f746": (320 * KIB, 320 * KIB, 1 * MIB, 216),
    "stm32h743": (512 * KIB, (64 + 128 + 512 + 288 + 64) * KIB, 2 * MIB, 480),
    "stm32l4r5": (640 * KIB, 640 * KIB, 2 * MIB, 120),
    "nrf52840": (256 * KIB, 256 * KIB, 1 * MIB, 64),
    "esp32-s3": (0x3FCDB700 - 0x3FC88000, 512 * KIB, 8 * MIB, 240),
    "rp2040": (256 * KIB, 264 * KIB, 2 * MIB, 133),
}

GOOD = (files("predictors.hardware") / "devices" / "stm32h743.toml").read_text()


def test_the_seven_devices_are_there() -> None:
    assert set(DATA_SHEETS) <= set(device_names())
    assert device_names() == sorted(device_names())


@pytest.mark.parametrize("name", DATA_SHEETS)
def test_figures_equal_the_data_sheet(name: str) -> None:
    device = load_device(name)
    figures = (device.sram_bytes, device.sram_total_bytes, device.flash_bytes, device.clock_hz // 1_000_000)
    assert figures == DATA_SHEETS[name]


@pytest.mark.parametrize("name", device_names())
def test_every_device_loads_under_its_file_name_with_a_source_for_each_figure(name: str) -> None:
    device = load_device(name)
    assert device.name == name
    assert all(len(text) > 20 for text in device.sources.model_dump().values())
    assert len(device.reserve.reason) > 40
    assert all(left > 0 for left in device.limits().values())


def test_limits_are_the_memory_less_the_reserve_by_metric_column() -> None:
    device = load_device("stm32f746")
    assert device.limits() == {"peak_sram_bytes": (320 - 16) * KIB, "flash_bytes": (1024 - 16) * KIB}
    assert device.limits("sram=64k") == {"peak_sram_bytes": 256 * KIB, "flash_bytes": (1024 - 16) * KIB}
    assert device.limits("sram=0,flash=0.5M") == {"peak_sram_bytes": 320 * KIB, "flash_bytes": 512 * KIB}
    assert set(device.limits()) <= {metric.column for metric in METRICS.values()}


def test_reserve_text() -> None:
    assert parse_reserve(None) == parse_reserve("  ") == {}
    assert parse_reserve("sram=16k, flash=0k") == {"sram": 16 * KIB, "flash": 0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ram=16k", "did you mean 'sram'"),
        ("sram", "sram=16k"),
        ("sram=", "sram=16k"),
        ("sram=5ms", "no unit 'ms'"),
        ("sram=0ms", "no unit 'ms'"),
        ("sram=-1", "positive"),
        ("sram=nan", "positive"),
        ("sram=1k,sram=2k", "twice"),
        ("sram=1k,,flash=2k", "unknown key ''"),
        ("sram=320k", "leaves nothing"),
        ("flash=1e30", "beyond any device"),
    ],
)
def test_a_reserve_that_cannot_be_is_wrong_use(text: str, words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        load_device("stm32f746").limits(text)


def test_unknown_names_get_a_hint_and_the_list() -> None:
    with pytest.raises(WrongUse, match=r"did you mean 'stm32f746'\?.*rp2040"):
        load_device("stm32f745")
    with pytest.raises(WrongUse, match="did you mean 'esp32-s3'"):
        load_device("ESP32S3")


@pytest.mark.parametrize("name", ["", "../stm32f746", "a\0b", "x" * 10_000, "STM32F746 "])
def test_odd_names_are_wrong_use_and_never_reach_the_disk(name: str) -> None:
    with pytest.raises(WrongUse, match="unknown device") as caught:
        load_device(name)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["missing.toml", "a\0b.toml", "x" * 10_000 + ".toml"])
def test_a_path_that_leads_nowhere_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="cannot be read") as caught:
        load_device(str(tmp_path / name))
    assert len(str(caught.value)) < 400


def test_a_new_device_is_one_file(tmp_path: Path) -> None:
    own = tmp_path / "my-board.toml"
    own.write_text(GOOD.replace("flash_bytes = 2_097_152", "flash_bytes = 4_194_304"))
    device = load_device(own)
    assert (device.name, device.flash_bytes) == ("my-board", 4 * MIB)
    assert load_device(str(own)) == device


REQUIRED = {key for key, field in Device.model_fields.items() if field.is_required()}


@pytest.mark.parametrize("key", sorted(REQUIRED - {"name"}))
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    table: dict[str, Any] = tomllib.loads(GOOD)
    del table[key]
    with pytest.raises(WrongUse, match=f"'{key}' is missing"):
        load_device(_write(tmp_path, table))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('sram_bytes = "STM32H742,', 'sram = "', r"'sources.sram_bytes' is missing; unknown key 'sources.sram'"),
        ("clock_hz = 480_000_000", 'clock_hz = "480M"', "'clock_hz': .*valid integer"),
        ("clock_hz = 480_000_000", "clock_hz = 0", "'clock_hz': .*greater than 0"),
        ("clock_hz = 480_000_000", "clock = 480_000_000", "unknown key 'clock'; did you mean 'clock_hz'"),
        ("sram_bytes = 524_288", "sram_bytes = 1_048_576", "more than the 524288 bytes"),
        ("sram_bytes = 0", "sram_bytes = 524_288", "reserve.sram_bytes: leaves nothing"),
        ("in_arena = false", "in_arena = true", "not neighbours"),
        ("[reserve]", "[reserve", "not valid TOML"),
        ('runtime = "tinyengine"', 'runtime = ""', "'runtime': .*at least 1 character"),
        ('core = "Cortex-M7"', 'core = "Cortex-M7"\nname = "x"', "remove the key"),
    ],
)
def test_a_broken_file_is_wrong_use_that_names_the_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    own = tmp_path / "broken.toml"
    own.write_text(GOOD.replace(old, new))
    with pytest.raises(WrongUse, match=words):
        load_device(own)


def test_bytes_that_are_no_text_are_wrong_use(tmp_path: Path) -> None:
    own = tmp_path / "picture.toml"
    own.write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(WrongUse, match="not valid TOML"):
        load_device(own)


def test_a_device_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_device("rp2040").sram_bytes = 1


def _write(folder: Path, table: dict[str, Any]) -> Path:
    """The table as TOML."""
    path = folder / "own.toml"
    path.write_text(tomli_w.dumps(table))
    return path
