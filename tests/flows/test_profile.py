"""`nas profile`: begun, stopped, gone on with; for this machine and for a board of one's own. No times are asserted."""

import csv
import json
import signal
from pathlib import Path

import pytest

from nas.evaluation import host_profile
from nas.storage.measured_rows import COLUMNS, MeasuredRows
from tests.flows.warm_process import PATIENCE_S, wait_until

SMALL = ("profile", "--space", "tinynet", "--set", "resolutions=16")


@pytest.fixture(autouse=True)
def short_passes(monkeypatch):
    monkeypatch.setattr(host_profile, "SECONDS_A_PASS", 0.01)


def rows(path="host.csv"):
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def test_this_machine_and_on_from_there(nas):
    few = (*SMALL, "--budget", "params=1500k", "--runtime", "torch", "--out", "host.csv")
    result = nas(*few, "--samples", "3", "--json")
    assert result.code == 0, result.err
    first = rows()
    assert list(first[0]) == list(COLUMNS)
    assert [network["id"] for network in result.document["networks"]] == [row["id"] for row in first]
    for row in first:
        assert float(row["latency_ms"]) > 0
        assert int(row["passes"]) >= 4
        assert (row["device"], row["runtime"], row["precision"]) == ("host", "torch", "fp32")
        assert (row["threads"], row["batch"]) == ("1", "1")
        settings = json.loads(row["architecture"])["settings"]
        assert settings["resolutions"] == [16]
        assert (settings["channels"], settings["classes"]) == (3, 1000)
        assert row["space"] == json.loads(row["architecture"])["space"] == "tinynet"
    more = nas(*few, "--samples", "5")
    assert more.code == 0, more.err
    assert "3 networks have figures" in more.err
    assert "5 networks of tinynet, device host, torch fp32, batch 1, 1 thread" in more.out
    assert len(rows()) == 5
    assert [row["id"] for row in rows()[:3]] == [row["id"] for row in first]
    before = Path("host.csv").read_bytes()
    assert "is complete" in nas(*few, "--samples", "4").err
    assert Path("host.csv").read_bytes() == before


def test_the_input_is_that_of_the_data(nas, pictures):
    result = nas(*SMALL, "--data", str(pictures), "--samples", "1", "--runtime", "torch", "--out", "host.csv", "-q")
    assert result.code == 0, result.err
    assert json.loads(rows()[0]["architecture"])["settings"]["classes"] == 2


def test_onnxruntime(nas):
    result = nas(*SMALL, "--budget", "params=1500k", "--samples", "2", "--batch", "2", "--out", "host.csv")
    assert result.code == 0, result.err
    assert [(row["runtime"], row["batch"]) for row in rows()] == [("onnxruntime", "2")] * 2
    assert all(float(row["latency_ms"]) > 0 for row in rows())


def test_a_file_of_something_else_is_kept(nas):
    assert nas(*SMALL, "--samples", "1", "--runtime", "torch", "--out", "host.csv").code == 0
    before = Path("host.csv").read_bytes()
    for arguments, said in (
        (("--runtime", "torch", "--batch", "2"), "holds rows of device host, torch fp32, batch 1, 1 thread, not of"),
        (("--runtime", "torch", "--set", "rule=giant"), "with other settings: rule"),
        (("--device", "pi5", "--export", "nets"), "holds rows of device host"),
    ):
        result = nas(*SMALL, *arguments, "--samples", "1", "--out", "host.csv")
        assert result.code == 2, result.err
        assert said in result.err
        assert "--force" in result.err
        assert Path("host.csv").read_bytes() == before
    assert not Path("nets").exists()
    Path("host.csv").write_text("id,latency\n")
    result = nas(*SMALL, "--samples", "1", "--out", "host.csv")
    assert result.code == 2
    assert "did you mean 'latency_ms'" in result.err
    assert nas(*SMALL, "--samples", "1", "--runtime", "torch", "--out", "host.csv", "--force").code == 0
    assert len(rows()) == 1


def test_networks_for_a_board(nas):
    import onnxruntime

    board = (*SMALL, "--device", "my-board", "--runtime", "tflite", "--export", "nets", "--out", "board.csv")
    result = nas(*board, "--budget", "params=1500k", "--samples", "2")
    assert result.code == 0, result.err
    assert "fill in the column latency_ms" in result.out
    written = MeasuredRows.read(Path("board.csv"))
    assert str(written.target) == "device my-board, tflite fp32, batch 1, 1 thread"
    assert written.figures == (None, None)
    assert {path.stem for path in Path("nets").iterdir()} == {network.id for network in written.architectures}
    for network in written.architectures:
        [pictures] = onnxruntime.InferenceSession(f"nets/{network.id}.onnx").get_inputs()
        assert pictures.shape == [1, 3, 16, 16]


def test_ctrl_c_keeps_what_is_measured(nas, warm_process, tmp_path):
    arguments = (*SMALL, "--budget", "params=1500k", "--runtime", "torch", "--samples", "5", "--out", "host.csv")
    process = warm_process(*arguments)

    def some_are_measured():
        return (tmp_path / "host.csv").is_file() and any(row["latency_ms"] for row in rows(tmp_path / "host.csv"))

    wait_until(some_are_measured, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, errors
    assert "go on with: the same command" in errors
    assert "Traceback" not in errors
    kept = rows(tmp_path / "host.csv")
    assert len(kept) == 5
    result = nas(*arguments)
    assert result.code == 0, result.err
    assert [row["id"] for row in rows()] == [row["id"] for row in kept]
    for before, after in zip(kept, rows(), strict=True):
        assert int(after["runs"]) >= int(before["runs"] or 0)
        assert float(after["latency_ms"]) <= float(before["latency_ms"] or "inf")
        assert int(after["passes"]) >= 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--device", "pi5"), "add --export DIR"),
        (("--export", "nets"), "name it, as --device my-board"),
        (("--runtime", "onnx"), "did you mean 'onnxruntime'"),
        (("--threads", "0"), "threads of a measurement: 1 to 1,024, got 0"),
        (("--threads", "1000"), "want as many processors"),
        (("--batch", "5000"), "1 to 4,096"),
        (("--samples", "0"), "--samples is 1 to 1,000, got 0"),
        (("--budget", "latency=5ms"), "--budget latency: networks are chosen by exact figures"),
        (("--budget", "ram=5k"), "did you mean 'sram'"),
        (("--set", "resolution=16"), "did you mean 'resolutions'"),
        (("--out", "nowhere/host.csv"), "does not exist"),
    ],
)
def test_wrong_use(nas, arguments, said):
    result = nas("profile", "--space", "tinynet", "--out", "host.csv", *arguments)
    assert result.code == 2, result.err
    assert said in result.err
    assert "Traceback" not in result.err
    assert not Path("host.csv").exists()


def test_nothing_fits(nas):
    result = nas("profile", "--space", "tinynet", "--out", "host.csv", "--budget", "params=1")
    assert result.code == 3
    assert "would fit" in result.err
    assert not Path("host.csv").exists()
