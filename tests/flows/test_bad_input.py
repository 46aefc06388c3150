"""What a person gets for a mistake: the exit code, the value, the way out, and no traceback."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def search(nas, *arguments):
    return nas("search", "--space", "mcunetv2", *arguments)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("0", ("no limit in '0'", "sram=256k")),
        ("-1", ("no limit in '-1'", "sram=256k")),
        ("nan", ("no limit in 'nan'",)),
        ("sram=0", ("positive finite", "'0'")),
        ("sram=-1", ("positive finite", "'-1'")),
        ("sram=nan", ("positive finite", "'nan'")),
        ("sram=1e30", ("'1e30'", "beyond any device")),
        ("sram=inf", ("positive finite", "'inf'")),
        ("sram=256kk", ("no unit 'kk'", "'256kk'", "KiB")),
        ("ram=256k", ("did you mean 'sram'?",)),
        ("sram=5ms", ("no unit 'ms'", "KiB")),
        ("latency=256k", ("no unit 'k'", "ms")),
        ("latency=50", ("needs a unit", "50")),
        ("sram=1k,sram=2k", ("twice",)),
        ("", ("empty",)),
    ],
)
def test_a_malformed_budget_is_wrong_use(nas, budget, said):
    result = search(nas, "--budget", budget)
    assert result.code == 2
    assert all(part in result.err for part in said), result.err
    assert "Traceback" not in result.err


def test_an_impossible_budget_says_what_would_fit(nas):
    result = search(nas, "--budget", "sram=1")
    assert result.code == 3
    assert "sram <= 1 B" in result.err
    assert "smallest network needs" in result.err
    assert "would fit: --budget sram=" in result.err
    assert not Path("runs").exists()


def test_what_is_said_to_fit_does_fit(nas):
    said = search(nas, "--budget", "sram=1").err
    budget = said.split("would fit: --budget ")[1].split()[0]
    assert search(nas, "--budget", budget, "--data", "digits", "--dry-run", "--json").code == 0


def test_an_impossible_budget_is_told_without_torch():
    script = (
        "import sys; from nas.cli.main import main; code = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    command = [sys.executable, "-c", script, "search", "--space", "mcunetv2", "--budget", "sram=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--device", "stm32f764"), ("stm32f764", "did you mean 'stm32f746'?")),
        (("--device", "stm32f746", "--budget", "latency=50ms"), ("no predictor of latency", "stm32f746")),
        (("--objectives", "accuracy,ram"), ("ram", "did you mean")),
        (("--objectives", "accuracy,energy"), ("no predictor of energy", "throughput", "latency")),
        (("--device", "stm32f746", "--budget", "throughput=1/s"), ("without --device it is measured",)),
        (("--budget", "throughput=200ms"), ("throughput has no unit 'ms'", "'/s'")),
        (("--measure", "batch=32"), ("--budget throughput=",)),
        (("--measure", "batch=0", "--budget", "throughput=1/s"), ("batch is 1 to",)),
        (("--measure", "cores=2", "--budget", "throughput=1/s"), ("batch= and threads=", "cores=2")),
        (("--runtime", "tinyengin"), ("did you mean 'tinyengine'?",)),
        (("--strategy", "evolutoin"), ("did you mean 'evolution'?",)),
        (("--evaluator", "supernett"), ("did you mean 'supernet'?",)),
        (("--set", "widht=per_block"), ("did you mean 'width'?",)),
        (("--set", "width"), ("KEY=VALUE",)),
        (("--set", "resolutions=4"), ("resolutions", "8")),
        (("--trials", "0"), ("trials",)),
        (("--time", "5 parsecs"), ("time",)),
        (("--schedule", "5y3"), ("PxN",)),
        (("--reserve", "sram=1k"), ("--device",)),
        (("--device", "rp2040", "--reserve", "sram=1G"), ("sram", "reserve")),
        (("--run", "../x"), ("run name", "../x")),
        (("--run", "a\0b"), ("run name",)),
        (("--run", "x" * 10_000), ("run name", "10,000 characters")),
        (("--data", "digitz"), ("digits",)),
        (("--bugdet", "sram=1k"), ("--bugdet", "--budget")),
    ],
)
def test_a_mistake_in_a_flag_is_wrong_use(nas, arguments, said):
    result = search(nas, *arguments)
    assert result.code == 2, result.err
    assert all(part in result.err for part in said), result.err
    assert len(result.err) < 2000


def test_unknown_space_and_command(nas):
    result = nas("search", "--space", "mcunetv3")
    assert result.code == 2
    assert "did you mean 'mcunetv2'?" in result.err
    result = nas("serach")
    assert result.code == 2
    assert "did you mean 'search'?" in result.err


@pytest.mark.parametrize("command", [("show",), ("resume",), ("train",), ("export",), ("predict", "x.png")])
def test_an_unknown_run_is_not_found(nas, command):
    name, *rest = command
    result = nas(name, "nothing", *rest)
    assert result.code == 4, result.err
    assert "no run 'nothing'" in result.err


def test_missing_files_are_not_found(nas):
    assert search(nas, "--data", "nowhere/").code == 4
    assert nas("cost", "nowhere.json").code == 4
    assert nas("search", "--config", "nowhere.toml").code == 4


@pytest.mark.parametrize("classes", [[], ["only"]])
def test_a_data_set_with_fewer_than_two_classes(nas, tmp_path, classes):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in classes:
        (folder / name).mkdir()
        for index in range(5):
            Image.fromarray(np.full((8, 8), index * 20, np.uint8)).save(folder / name / f"{index}.png")
    result = search(nas, "--data", str(folder))
    assert result.code == 2, result.err
    assert "class" in result.err


def test_files_that_can_hold_code_are_refused(nas, tmp_path):
    (tmp_path / "model.pth").write_bytes(b"x")
    result = nas("cost", "model.pth")
    assert result.code == 2
    assert "safetensors" in result.err
