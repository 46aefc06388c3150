"""Rows of counted operators: what is written is read again, what is left out, and every wrong cell is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from nas.core.measured import Target
from nas.storage.any_rows import read_any
from nas.storage.counted_rows import COUNTS, CountedRows
from search_spaces.core.errors import WrongUse

HEAD = "id,macs conv 3x3,number products,latency_ms,device,runtime,precision,threads,batch\n"
TARGET = "pi5,tflite,int8,4,1\n"
TEXT = HEAD + f"mine,2000000,12,7.5,{TARGET}other,0,3.5,1.25,{TARGET}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "own.csv").write_text(TEXT)
    return tmp_path / "own.csv"


def test_work_that_is_left_out_is_nothing_and_traffic_is_not_known(file: Path) -> None:
    rows = CountedRows.read(file)
    assert rows.target == Target("pi5", "tflite", "int8", 4, 1)
    assert (rows.ids, rows.values, rows.column) == (("mine", "other"), (7.5, 1.25), "latency_ms")
    work = [name for name in COUNTS if name.startswith("macs ")]
    assert rows.columns == (*work, "number products")
    first = dict(zip(rows.columns, rows.counts[0], strict=True))
    assert {name: count for name, count in first.items() if count} == {"macs conv 3x3": 2e6, "number products": 12}


def test_what_is_written_is_read_again(file: Path, tmp_path: Path) -> None:
    rows = replace(CountedRows.read(file), column="energy_mj")
    rows.write(tmp_path / "again.csv")
    assert read_any(tmp_path / "again.csv") == rows


def test_a_target_that_is_told_takes_the_place_of_the_columns(file: Path) -> None:
    lines = [line.rsplit(",", 3)[0] for line in TEXT.splitlines()]
    file.write_text("\n".join(lines))
    with pytest.raises(WrongUse, match="the columns precision,threads,batch are missing; flags of nas predictor fit"):
        CountedRows.read(file)
    told = {"device": "pi4", "precision": "fp32", "threads": "2", "batch": "1"}
    assert CountedRows.read(file, told).target == Target("pi4", "tflite", "fp32", 2, 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("macs conv 3x3", "macs conv3x3", "row 1: the column 'macs conv3x3' is unknown; did you mean 'macs conv 3x3'"),
        ("id,", "architectur,", "row 1: the column 'architectur' is unknown; did you mean 'architecture'"),
        ("macs conv 3x3", "number products", "row 1: the column 'number products' is there twice"),
        ("2000000", "-1", "row 2, column macs conv 3x3: '-1' is no number of 0 or more"),
        ("2000000", "2M", "row 2, column macs conv 3x3: '2M' is no number"),
        ("2000000", "nan", "row 2, column macs conv 3x3: 'nan' is no number"),
        ("2000000", "1e300", "row 2, column macs conv 3x3: '1e300' is no number"),
        (",3.5,", ",,", "row 3, column number products: empty; write 0"),
        ("7.5", "", "row 2, column latency_ms: empty"),
        ("7.5", "fast", "row 2, column latency_ms: 'fast' is no number"),
        ("1.25", "0", "row 3, column latency_ms: no network takes 0"),
        ("other", "mine", "row 3, column id: 'mine' stands in row 2 as well"),
        ("latency_ms", "energy_mj,latency_ms", "latency_ms and energy_mj are two things"),
        ("other,0", "other,0,0", "row 3: it has not 9 cells"),
        ("1.25,pi5", "1.25,pi4", "row 3: device pi4"),
    ],
)
def test_a_wrong_cell_is_named(file: Path, old: str, new: str, said: str) -> None:
    assert old in TEXT
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(WrongUse) as error:
        CountedRows.read(file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


def test_without_a_count_all_are_listed(file: Path) -> None:
    file.write_text(f"latency_ms,device,runtime,precision,threads,batch\n1,{TARGET}")
    told = r"macs conv 1x1, .*number unpacked depthwise; nas cost NETWORK --json gives them"
    with pytest.raises(WrongUse, match=told):
        CountedRows.read(file)


def test_equal_counts_need_an_id_each(file: Path) -> None:
    without = "macs conv 3x3,latency_ms,device,runtime,precision,threads,batch\n"
    file.write_text(f"{without}5,1,{TARGET}5,2,{TARGET}")
    with pytest.raises(WrongUse, match="row 3: the counts stand in row 2 as well"):
        CountedRows.read(file)
    file.write_text(f"id,{without}a,5,1,{TARGET}b,5,2,{TARGET}")
    assert CountedRows.read(file).values == (1, 2)
