"""Lookup tables of operators: what is written is read again, what may be left out, and every wrong cell is named."""

from pathlib import Path

import pytest

from nas.core.measured import Target
from nas.storage.any_rows import read_any
from nas.storage.operator_times import SHAPE, OperatorTimes, write_empty
from predictors.hardware.latency.operator_classes import OperatorShape
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.layer_table import Kind

HEAD = (
    "operator,in_channels,out_channels,height,width,kernel,stride,latency_ms,device,runtime,precision,threads,batch\n"
)
PI = ",pi5,tflite,int8,4,1\n"
TEXT = f"{HEAD}conv,3,16,25,25,3,2,0.5{PI}dwconv,16,,13,13,5,1,0.25{PI}fc,16,10,1,1,,,0{PI}constant,,,,,,,1.5{PI}"
CONV = OperatorShape(Kind.CONV, 3, 2, 1, 3, 25, 25, 16, 13, 13)
DEPTHWISE = OperatorShape(Kind.DEPTHWISE, 5, 1, 16, 16, 13, 13, 16, 13, 13)
LINEAR = OperatorShape(Kind.LINEAR, 1, 1, 1, 16, 1, 1, 10, 1, 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(TEXT)
    return tmp_path / "table.csv"


def test_what_is_left_out_is_as_said(file: Path) -> None:
    found = OperatorTimes.read(file)
    assert found.target == Target("pi5", "tflite", "int8", 4, 1)
    assert found.times == {CONV: 0.5, DEPTHWISE: 0.25, LINEAR: 0}
    assert (found.constant, found.column) == (1.5, "latency_ms")
    assert found.table.milliseconds["conv 3x3 s2 g1 3x25x25 > 16x13x13"] == 0.5


def test_what_is_written_is_read_again(file: Path, tmp_path: Path) -> None:
    found = OperatorTimes.read(file)
    found.write(tmp_path / "again.csv")
    assert read_any(tmp_path / "again.csv") == found


def test_a_size_that_is_told_is_not_computed(file: Path) -> None:
    text = HEAD.replace("stride,", "stride,groups,out_height,out_width,")
    file.write_text(f"{text}conv,4,16,25,25,3,2,2,12,12,0.5{PI}pool,16,,12,12,,,,1,1,0.5{PI}")
    convolution, pool = OperatorTimes.read(file).times
    assert convolution == OperatorShape(Kind.CONV, 3, 2, 2, 4, 25, 25, 16, 12, 12)
    assert pool == OperatorShape(Kind.POOL, 1, 1, 1, 16, 12, 12, 16, 1, 1)


def test_an_empty_table_has_all_but_the_figures(tmp_path: Path) -> None:
    write_empty(tmp_path / "rest.csv", [CONV, LINEAR])
    text = (tmp_path / "rest.csv").read_text()
    assert text == f"operator,{','.join(SHAPE)},latency_ms\nconv,3,16,25,25,3,2,1,13,13,\nlinear,16,10,1,1,1,1,1,1,1,\n"
    told = {"device": "d", "runtime": "r", "precision": "int8", "threads": "1", "batch": "1"}
    with pytest.raises(WrongUse, match="row 2, column latency_ms: empty"):
        OperatorTimes.read(tmp_path / "rest.csv", told)
    (tmp_path / "rest.csv").write_text(text.replace(",\n", ",2\n"))
    assert OperatorTimes.read(tmp_path / "rest.csv", told).times == {CONV: 2, LINEAR: 2}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("conv,3", "konv,3", "row 2, column operator: unknown operator 'konv'; did you mean 'conv'"),
        ("conv,3,16", "conv,3,", "row 2, column out_channels: empty"),
        ("conv,3,", "conv,,", "row 2, column in_channels: empty"),
        ("conv,3,", "conv,0,", "row 2, column in_channels: a size is 1 or more"),
        ("conv,3,", "conv,3.5,", "row 2, column in_channels: '3.5' is no whole number"),
        ("3,2,0.5", "3,0,0.5", "row 2, column stride: a size is 1 or more"),
        (",0.5,", ",,", "row 2, column latency_ms: empty"),
        (",0.25,", ",-0.25,", "row 3, column latency_ms: '-0.25' is no number"),
        (",0.25,", ",slow,", "row 3, column latency_ms: 'slow' is no number"),
        (
            "fc,16,10,1,1,,,0",
            "conv,3,16,25,25,3,2,9",
            "row 4, column operator: conv 3x3 s2 g1 3x25x25 > 16x13x13 stands in",
        ),
        ("constant,,", "constant,4,", "row 5, column in_channels: a constant has no shape"),
        ("latency_ms", "latency", "row 1: the column 'latency' is unknown; did you mean 'latency_ms'"),
        (",height", ",hight", "row 1: the column 'hight' is unknown; did you mean 'height'"),
    ],
)
def test_a_wrong_cell_is_named(file: Path, old: str, new: str, said: str) -> None:
    assert old in TEXT
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(WrongUse) as error:
        OperatorTimes.read(file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


def test_a_table_without_any_time_is_refused(file: Path) -> None:
    file.write_text(f"{HEAD}constant,,,,,,,1.5{PI}")
    with pytest.raises(WrongUse, match="no operator takes any time"):
        OperatorTimes.read(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        OperatorTimes.read(tmp_path / "none.csv")
