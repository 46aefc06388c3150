"""What is written is read again; every wrong cell is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from nas.core.measured import Measured, Target
from nas.storage.measured_rows import COLUMNS, MeasuredRows
from search_spaces.core.errors import FitnasError, WrongUse
from tests.nas.toy_space import ToySpace

SMALLEST, LARGEST = ToySpace().extremes()
MEASURED = Measured(12.3456, 0.02, None, 1, 50)
ROWS = MeasuredRows(Target(threads=2), (SMALLEST, LARGEST), (MEASURED, None))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    ROWS.write(tmp_path / "rows.csv")
    return tmp_path / "rows.csv"


def test_what_is_written_is_read_again(file: Path) -> None:
    assert MeasuredRows.read(file) == ROWS
    assert file.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert [path.name for path in file.parent.iterdir()] == ["rows.csv"]


def test_a_file_of_a_spreadsheet_with_columns_of_its_order(file: Path) -> None:
    header, *rows = (line.rsplit(",", 5) for line in file.read_text().splitlines())
    names, figures = header[0].split(","), ",".join(header[1:])
    assert names[-1] == "runs"
    moved = [",".join((*line[1:], line[0])) for line in (header, *rows)]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(moved).encode())
    assert moved[0].startswith(figures)
    assert MeasuredRows.read(file) == ROWS


def test_what_only_a_profile_knows_may_be_missing(tmp_path: Path) -> None:
    cells = f'"{SMALLEST.to_json().replace(chr(34), chr(34) * 2)}"'
    (tmp_path / "own.csv").write_text(
        f"architecture,latency_ms,device,runtime,precision,threads,batch\n{cells},7.5,pi5,tflite,int8,4,1\n"
    )
    found = MeasuredRows.read(tmp_path / "own.csv")
    assert found == MeasuredRows(Target("pi5", "tflite", "int8", 4, 1), (SMALLEST,), (Measured(7.5),))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("12.3456", "-1", "row 2, column latency_ms: '-1'"),
        ("12.3456", "12 ms", "row 2, column latency_ms: '12 ms'"),
        ("12.3456", "nan", "row 2, column latency_ms: 'nan'"),
        ("12.3456", "inf", "row 2, column latency_ms: 'inf'"),
        ("12.3456", "0", "row 2, column latency_ms: no network takes 0"),
        (",50,", ",5.5,", "row 2, column runs: '5.5' is no whole number"),
        ("host,onnxruntime,fp32,2,1\n" + LARGEST.id, "host,torch,fp32,2,1\n" + LARGEST.id, "row 3: device host"),
        (LARGEST.id, "1.2E+09", "row 3, column id: '1.2E+09'"),
        ('""c03"":3', '""c03"":', "row 3, column architecture"),
        (",fp32,2,1\n", ",fp32,2,1,more\n", "row 2: it has not 13 cells"),
        (",fp32,2,1\n", ",fp32,,1\n", "row 2: threads"),
        ("latency_ms", "latency", "row 1: the column 'latency' is unknown; did you mean 'latency_ms'"),
        ("spread", "drift", "row 1: the column 'drift' is there twice"),
        (",precision", "", "row 1: the columns precision are missing"),
    ],
)
def test_a_wrong_cell_is_named(file: Path, old: str, new: str, said: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(WrongUse) as error:
        MeasuredRows.read(file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


def test_a_network_that_stands_twice_is_refused(file: Path) -> None:
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[1].replace("12.3456", "13")]) + "\n")
    with pytest.raises(WrongUse, match=f"row 4: the network {SMALLEST.id} stands in row 2 as well"):
        MeasuredRows.read(file)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", ",".join(COLUMNS).encode() + b"\n"])
def test_what_is_no_table_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(WrongUse, match=r"rows\.csv"):
        MeasuredRows.read(file)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FitnasError, match="does not exist"):
        MeasuredRows.read(tmp_path / "none.csv")


def test_energy_in_the_place_of_latency(tmp_path: Path) -> None:
    energy = replace(ROWS, column="energy_mj")
    energy.write(tmp_path / "energy.csv")
    assert "energy_mj" in (tmp_path / "energy.csv").read_text().splitlines()[0]
    assert MeasuredRows.read(tmp_path / "energy.csv") == energy


def test_two_things_in_one_file_are_refused(file: Path) -> None:
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([f"{header},energy_mj", *(f"{row},1.5" for row in rows)]))
    with pytest.raises(WrongUse, match="row 1: latency_ms and energy_mj are two things"):
        MeasuredRows.read(file)
