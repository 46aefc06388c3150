"""Latency of a board from its rows to a front within it; zero-cost proxies."""

import csv
import json
import re
from pathlib import Path

import pytest

import nas as fitnas
from nas.core.measured import Target
from nas.evaluation import host_profile
from nas.storage.measured_rows import MeasuredRows
from nas.storage.operator_times import SHAPE
from predictors.hardware.latency.operator_classes import OperatorShape
from search_spaces.core.layer_table import Kind
from tests.measured_rows import counted, energy_of, measured_rows, write_rows
from tests.operator_times import milliseconds_of

SPACE = ("--space", "mcunetv2", "--set", "backbone=micro", "--set", "resolutions=16,24")
SEARCH = ("search", *SPACE, "--trials", "8", "--supernet-epochs", "1", "--backend", "inline", "--run", "r")
WHOSE = "predicted: device my-board, tflm int8, batch 1, 1 thread, from 40 networks"


def space(data):
    return fitnas.space("mcunetv2", str(data), backbone="micro", resolutions="16,24")


@pytest.fixture
def rows(pictures, tmp_path):
    return write_rows(tmp_path / "board.csv", space(pictures), 40)


def test_from_rows_to_a_front_within_the_latency(nas, pictures, rows):
    fitted = nas("predictor", "fit", str(rows), "--metric", "latency", "--out", "board/", "--json")
    assert fitted.code == 0, fitted.err
    scores = fitted.document["scores"]
    assert (scores["networks"], scores["within_10_percent"], scores["covered"]) == (40, 1.0, None)
    assert fitted.document["whose"] == WHOSE
    again = nas("predictor", "fit", str(rows), "--out", "board/")
    assert again.code == 2
    assert "--force" in again.err

    write_rows(Path("other.csv"), space(pictures), 30, seed=5)
    held_out = nas("predictor", "evaluate", "board/", "other.csv")
    assert held_out.code == 0, held_out.err
    assert "within 10 %: 100 %" in held_out.out
    assert "90 % interval" in held_out.out

    more = (
        "--data",
        str(pictures),
        "--device",
        "my-board",
        "--predictor",
        "board/",
        "--budget",
        "latency=20ms,sram=64k",
    )
    result = nas(*SEARCH, *more, "--objectives", "accuracy,latency")
    assert result.code == 0, result.err
    assert f"budget latency <= 20 ms, {WHOSE}, held to the upper end of a 90 % interval" in result.err
    trials = nas("show", "r", "--json").document["front"]["trials"]
    assert trials
    for trial in trials:
        metrics = trial["metrics"]
        assert metrics["latency_ms_low"] <= metrics["latency_ms"] <= metrics["latency_ms_high"] <= 20
        assert metrics["latency_ms_extrapolated"] in (0, 1)
    one = nas("show", "r", "best")
    assert "interval" in one.out
    assert WHOSE in one.out.replace("\n", " ")
    assert not Path("runs/r/front_latency.csv").exists()  # nobody can measure the board from here

    Path("board").rename("moved")  # the run has its own copy
    assert nas("resume", "r").code == 0
    assert nas("report", "r").code == 0

    as_an_earlier_version_left_it(Path("runs/r"))
    assert nas("show", "r", "best").out == one.out
    assert nas("resume", "r").code == 0


def as_an_earlier_version_left_it(run):
    """One predictor, in the folder itself, and named alone in the configuration."""
    for file in (run / "predictor/latency").iterdir():
        file.rename(run / "predictor" / file.name)
    (run / "predictor/latency").rmdir()
    text = (run / "config.toml").read_text()
    alone = re.sub(r'predictor = \[\s*(".*?"),?\s*\]', r"predictor = \1", text)
    assert alone != text
    (run / "config.toml").write_text(alone)


TARGET = ("--device", "my-board", "--runtime", "tflm", "--precision", "int8", "--threads", "1", "--batch", "1")


def test_a_lookup_table_and_counted_rows_in_one_search(nas, pictures, tmp_path):
    here = space(pictures)
    written = nas("predictor", "operators", *SPACE, "--data", str(pictures), "--out", "table.csv")
    assert written.code == 0, written.err
    fill(tmp_path / "table.csv")
    write_rows(tmp_path / "rows.csv", here, 20)
    fitted = nas("predictor", "fit", "table.csv", *TARGET, "--calibrate", "rows.csv", "--out", "table/", "--json")
    assert fitted.code == 0, fitted.err
    assert fitted.document["model"] == "lookup_table"
    assert fitted.document["scores"]["within_10_percent"] == 1
    assert fitted.document["promise"] == "held to the upper end of a 90 % interval"
    alone = nas("predictor", "fit", "table.csv", *TARGET, "--out", "alone/")
    assert "a limit is held to the prediction itself, for no interval is known" in alone.out

    counted(here, energy_of(measured_rows(here, 40))).write(tmp_path / "meter.csv")
    assert nas("predictor", "fit", "meter.csv", "--metric", "energy", "--out", "meter/").code == 0
    counted(here, energy_of(measured_rows(here, 30, seed=1))).write(tmp_path / "more.csv")
    assert "within 10 %: 100 %" in nas("predictor", "evaluate", "meter/", "more.csv").out

    both = ("--predictor", "table/", "--predictor", "meter/", "--budget", "latency=20ms,energy=54mJ")
    result = nas(*SEARCH, "--data", str(pictures), "--device", "my-board", *both)
    assert result.code == 0, result.err
    assert "budget latency <= 20 ms, predicted" in result.err
    assert "budget energy <= 54 mJ, predicted" in result.err
    assert sorted(folder.name for folder in Path("runs/r/predictor").iterdir()) == ["energy", "latency"]
    trials = nas("show", "r", "--json").document["front"]["trials"]
    assert trials
    for trial in trials:
        assert trial["metrics"]["latency_ms_high"] <= 20
        assert trial["metrics"]["energy_mj_high"] <= 54
    assert "energy: interval" in nas("show", "r", "best").out
    again = nas("search", "--config", "runs/r/config.toml", "--data", str(pictures), "--dry-run")
    assert "energy <= 54 mJ, predicted" in again.err

    clash = nas("search", *SPACE, "--predictor", "table/", "--predictor", "alone/", "--dry-run")
    assert clash.code == 2
    assert "--predictor table and alone both predict latency" in clash.err


def fill(table):
    """What the board takes, into the empty column."""
    with table.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        size = {name: int(row[name]) for name in SHAPE}
        given = [size.pop(name) for name in ("height", "width")]
        shape = OperatorShape(kind=Kind[row["operator"].upper()], in_height=given[0], in_width=given[1], **size)
        row["latency_ms"] = milliseconds_of(shape)
    with table.open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_the_front_is_measured_where_the_device_is_this_machine(nas, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(host_profile, "SECONDS_A_PASS", 0.01)
    write_rows(tmp_path / "host.csv", space(pictures), 40, target=Target(runtime="torch"))
    assert nas("predictor", "fit", "host.csv", "--out", "host/").code == 0
    result = nas(*SEARCH, "--data", str(pictures), "--predictor", "host/", "--json")
    assert result.code == 0, result.err
    told = result.document["front_latency"]
    assert {each["id"] for each in told} == {trial["id"] for trial in result.document["front"]["trials"]}
    assert all(each["measured"] > 0 for each in told)
    measured = MeasuredRows.read(Path("runs/r/front_latency.csv"))
    assert measured.target == Target(runtime="torch")
    assert "measured" in nas("show", "r", "best").out
    before = Path("runs/r/front_latency.csv").read_bytes()
    resumed = nas("resume", "r")
    assert "of the front measured here" in resumed.out
    assert Path("runs/r/front_latency.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda text: text.replace("latency_ms", "latency"),
            "the columns latency_ms are missing|column 'latency' is unknown",
        ),
        (lambda text: _with_latency(text, "-3"), "row 2, column latency_ms: '-3'"),
        (
            lambda text: _with_latency(text, "12ms"),
            "row 2, column latency_ms: '12ms' is no number of 0 or more, without a unit",
        ),
        (lambda text: _with_latency(text, ""), "row 2, column latency_ms: empty"),
        (lambda text: text + text.splitlines()[1] + "\n", "stands in row 2 as well"),
        (lambda text: "\n".join(text.splitlines()[:5]) + "\n", "at least"),
    ],
)
def test_wrong_rows_are_refused_with_row_and_column(nas, rows, change, told):
    rows.write_text(change(rows.read_text()))
    result = nas("predictor", "fit", str(rows), "--out", "board/")
    assert result.code == 2
    assert any(each in result.err for each in told.split("|"))
    assert not Path("board").exists()


def _with_latency(text, value):
    header, first, *rest = text.splitlines()
    before, figures = first.rsplit('",', 1)
    cells = figures.split(",")
    cells[header.split(",").index("latency_ms") - header.split(",").index("architecture") - 1] = value
    return "\n".join([header, f'{before}",{",".join(cells)}', *rest]) + "\n"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("predictor", "fit", "none.csv", "--out", "b/"), 4, "none.csv"),
        (("predictor", "evaluate", "nowhere/", "board.csv"), 4, "holds no predictor"),
        (("predictor", "fit", "board.csv", "--out", "b/", "--metric", "energie"), 2, "energie"),
        (("predictor", "fit", "board.csv", "--out", "b/", "--model", "aditive"), 2, "did you mean 'additive'"),
        (("predictor", "fit", "board.csv", "--out", "b/", "--calibrate", "board.csv"), 2, "for a lookup table"),
        (("predictor", "operators", "--space", "mcunetv3", "--out", "t.csv"), 2, "did you mean 'mcunetv2'"),
        (("predictor", "operators", *SPACE, "--out", "board.csv"), 2, "--force"),
        (("predictor", "proxies"), 2, "--space"),
        (("predictor", "proxies", "--space", "mcunetv2", "--run", "r"), 2, "one of the two"),
        (("predictor", "proxies", "--run", "nowhere"), 4, "nowhere"),
        (("predictor", "proxies", *SPACE, "--proxies", "nwott"), 2, "did you mean 'nwot'"),
        (("search", *SPACE, "--predictor", "nowhere/"), 4, "holds no predictor"),
    ],
)
def test_what_is_not_there_is_named(nas, rows, arguments, code, told):
    result = nas(*arguments)
    assert result.code == code
    assert told in result.err


def test_proxies_of_a_space_and_of_a_run(nas, search_once):
    few = ("--samples", "3", "--pictures", "8")
    of_space = nas("predictor", "proxies", *SPACE, "--data", "pictures", *few, "--json")
    assert of_space.code == 0, of_space.err
    document = of_space.document
    assert document["against"] == ["params", "macs_layerwise"]
    assert {row["name"] for row in document["proxies"]} >= {
        "nwot",
        "synflow",
        "snip",
        "grad_norm",
        "jacob_cov",
        "params",
    }
    assert all(len(row["scores"]) == 3 and row["seconds"] >= 0 for row in document["proxies"])
    assert (
        nas("predictor", "proxies", *SPACE, "--data", "pictures", *few, "--json").document["networks"]
        == document["networks"]
    )

    search_once(*SEARCH[1:])
    of_run = nas("predictor", "proxies", "--run", "r", "--proxies", "nwot,synflow", *few, "--json")
    assert of_run.code == 0, of_run.err
    assert of_run.document["against"] == ["accuracy", "params", "macs_layerwise"]
    known = {trial.architecture.id: trial.metrics["top1"] for trial in fitnas.load("runs/r").trials}
    pairs = zip(of_run.document["networks"], of_run.document["accuracy"], strict=True)
    assert all(known[network] == accuracy for network, accuracy in pairs)
    shown = nas("predictor", "proxies", "--run", "r", "--proxies", "nwot", *few)
    assert "Kendall, accuracy" in " ".join(shown.out.split())
    assert json.dumps(of_run.document)
