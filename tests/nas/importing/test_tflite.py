"""TensorFlow Lite files of other people: figures published for them, or counted by their own interpreter."""

from pathlib import Path

import pytest

from nas.importing import import_network
from predictors.hardware.memory.tflm import least_arena_bytes, tail_bytes
from predictors.hardware.price import price_table
from search_spaces.core.errors import WrongUse
from search_spaces.mcunetv2.published import published_members

pytest.importorskip("tflite_micro", reason="the extra tflite is not installed")


@pytest.fixture
def models(fitnas_data: Path) -> Path:
    return fitnas_data / "mcu" / "models"


# MACs, and the most bytes alive at once: counted on the files with TensorFlow Lite Micro's own tools
@pytest.mark.parametrize(
    ("name", "macs", "liveness"),
    [
        ("vww_96_int8", 7_489_664, 55_296),
        ("ic_resnet_int8", 12_501_632, 49_152),
        ("person_detect", 7_157_888, 55_296),
    ],
)
def test_networks_of_mlperf_tiny(models: Path, name: str, macs: int, liveness: int) -> None:
    imported = import_network(models / f"{name}.tflite")
    priced = price_table(imported.table, "c", schedule="none")
    assert priced["macs"][0] == macs
    assert least_arena_bytes(imported.table)[0] - tail_bytes(imported.table)[0] == liveness
    assert priced["peak_sram_bytes"][0] <= liveness  # what works in place needs no more
    assert not imported.unknown
    assert imported.numbers == "int8"
    assert not imported.notes


# head and tail as its interpreter reports them
@pytest.mark.parametrize(
    ("name", "arena"), [("vww_96_int8", 103_680), ("ic_resnet_int8", 55_984), ("person_detect", 85_264)]
)
def test_the_arena_of_its_own_runtime(models: Path, name: str, arena: int) -> None:
    priced = price_table(import_network(models / f"{name}.tflite").table, "tflm")
    assert priced["peak_sram_bytes"][0] == pytest.approx(arena, rel=0.01)


def test_the_file_of_a_published_network_costs_what_its_configuration_does(models: Path) -> None:
    table = import_network(models / "mcunetv2_large.tflite").table
    own = published_members()["mcunetv2_large"].table()
    for runtime in ("analytic", "c", "tinyengine"):
        theirs, ours = (price_table(each, runtime, schedule="none") for each in (table, own))
        for column in ("macs", "weight_bytes", "flash_bytes", "peak_sram_bytes"):
            assert theirs[column][0] == ours[column][0], (runtime, column)
    assert price_table(table, "analytic")["peak_sram_bytes"] == price_table(own, "analytic")["peak_sram_bytes"]


def test_damage_is_told(models: Path, tmp_path: Path) -> None:
    content = (models / "person_detect.tflite").read_bytes()
    damaged = tmp_path / "a.tflite"
    for cut, said in ((0, "no TensorFlow Lite file"), (100, "damaged"), (len(content) // 2, "damaged|stored for")):
        damaged.write_bytes(content[:cut])
        with pytest.raises(WrongUse, match=said):
            import_network(damaged)
