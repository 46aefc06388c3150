"""The commands of the README, one after the other, on a folder of pictures."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

# the smallest search that goes through every part; a budget that binds
FROM_ANOTHER = ("--space", "mcunetv2", "--trials", "6", "--backend", "inline", "--seed", "3")
TINY = (*FROM_ANOTHER, "--supernet-epochs", "1")
BUDGET = ("--budget", "sram=24k,flash=200k")


def archive(front):
    """The trials of a front without the seconds that they took."""
    return [{name: value for name, value in trial.items() if name != "seconds"} for trial in front["trials"]]


@pytest.fixture
def searched(search_once):
    return search_once(*TINY, *BUDGET, "--run", "signs")


def test_from_pictures_to_an_exported_network(nas, pictures, searched):
    assert "sram <= 24,576 B (24 KiB), runtime tinyengine" in searched.err
    assert "of 2,000 sampled architectures fit the budget" in searched.err
    assert "hypervolume" in searched.out
    assert "nas train signs --pick knee" in searched.out

    shown = nas("show", "signs", "--json").document
    assert shown["state"] == "complete"
    assert shown["trials"] == 6
    front = shown["front"]["trials"]
    assert front
    for member in front:
        assert member["metrics"]["peak_sram_bytes"] <= 24 * 1024
        assert member["metrics"]["flash_bytes"] <= 200 * 1024
    one = nas("show", "signs", "knee")
    assert one.code == 0
    assert "limit 24,576 B" in one.out
    assert nas("show", "signs", front[0]["id"], "--json").document["id"] == front[0]["id"]
    assert nas("list", "--json").document[0]["run"] == "signs"

    trained = nas("train", "signs", "--pick", "best", "--epochs", "1", "--json").document
    assert trained["weights"] == "fine-tuned"
    assert 0 <= trained["test_top1"] <= 1
    assert sum(map(sum, trained["confusion"])) == 10  # a fifth of 48 pictures, class by class

    disc = str(pictures / "disc" / "0.png")
    predicted = nas("predict", "signs", disc, "--json").document
    assert predicted[0]["class"] in ("disc", "square")
    assert sum(predicted[0]["probabilities"].values()) == pytest.approx(1.0)

    assert nas("export", "signs", "--pick", "best", "--to", "pytorch", "--out", "out/").code == 0
    assert nas("predict", "out", disc, "--json").document[0]["probabilities"] == pytest.approx(
        predicted[0]["probabilities"], abs=1e-5
    )
    priced = nas("cost", "out/architecture.json", "--json", "--layers").document
    promised = json.loads(Path("out/manifest.json").read_text())
    assert priced["schedule"] == promised["schedule"]
    for column in ("macs", "params", "flash_bytes", "peak_sram_bytes"):
        assert priced[column] == promised["promised"][column]
    assert sum(layer["macs"] for layer in priced["layers"]) == priced["macs"]
    assert max(layer["sram_bytes"] for layer in priced["layers"]) == pytest.approx(priced["peak_sram_bytes"], abs=4)
    assert nas("cost", f"signs:{trained['id']}", "--json").document["macs"] == priced["macs"]


def test_several_seeds_give_mean_and_spread_and_keep_the_best(nas, pictures, searched):
    found = nas("train", "signs", "--pick", "best", "--epochs", "1", "--seeds", "3", "--json").document
    assert {one["seed"] for one in found["seeds"]} == {3, 4, 5}
    tests = [one["test_top1"] for one in found["seeds"]]
    assert found["spread"]["test"]["mean"] == pytest.approx(sum(tests) / 3)
    assert found["validation_top1"] == found["spread"]["validation"]["greatest"]
    kept = json.loads((Path(found["path"]) / "report.json").read_text())
    assert (kept["seed"], kept["test_top1"]) == (found["seed"], found["test_top1"])
    again = nas("train", "signs", "--pick", "best", "--epochs", "1", "--seeds", "2")
    assert "2 seeds" in again.out
    assert nas("train", "signs", "--seeds", "0").code == 2


def test_an_export_runs_with_torch_and_safetensors_alone(nas, searched):
    assert nas("export", "signs", "--pick", "knee", "--out", "out").code == 0
    script = (
        "import sys; sys.path.insert(0, 'out')\n"
        "import torch\n"
        "from safetensors.torch import load_file\n"
        "from model import ARGUMENTS, network\n"
        "net = network(); net.load_state_dict(load_file('out/model.safetensors')); net.eval()\n"
        "print(tuple(net(torch.zeros(2, *ARGUMENTS['input_size'])).shape))\n"
        "ours = [m for m in sys.modules if m.split('.')[0] in ('nas', 'search_spaces', 'predictors')]\n"
        "assert not ours, ours\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(2, 2)"
    imports = [line for line in Path("out/model.py").read_text().splitlines() if line.startswith(("import", "from"))]
    assert all(line.split()[1].split(".")[0] in ("torch", "typing", "collections") for line in imports), imports


@pytest.mark.usefixtures("unchecked_exports")
def test_nothing_is_overwritten_without_force(nas, pictures, searched):
    again = nas("search", *TINY, "--data", str(pictures), "--run", "signs")
    assert again.code == 2
    assert "nas resume signs" in again.err
    assert nas("export", "signs", "--out", "out").code == 0
    again = nas("export", "signs", "--out", "out")
    assert again.code == 2
    assert "--force" in again.err
    assert nas("export", "signs", "--out", "out", "--force").code == 0


def test_the_run_directory_holds_what_it_promises(nas, searched):
    run = Path("runs/signs")
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["space"] == "mcunetv2"
    assert config["runtime"] == "tinyengine"
    assert json.loads((run / "environment.json").read_text())["packages"]["torch"]
    front = json.loads((run / "pareto.json").read_text())
    table = pd.read_parquet(run / "trials.parquet")
    assert len(table) == 6
    assert {member["number"] for member in front["trials"]} <= set(table["number"])
    assert table["peak_sram_bytes"].max() <= 24 * 1024


def test_a_finished_run_resumes_to_itself(nas, searched):
    before = Path("runs/signs/pareto.json").read_text()
    result = nas("resume", "signs")
    assert result.code == 0
    assert Path("runs/signs/pareto.json").read_text() == before


def test_changed_data_is_refused(nas, pictures, searched):
    (pictures / "disc" / "0.png").unlink()
    for command in (("resume", "signs"), ("train", "signs", "--epochs", "1")):
        result = nas(*command)
        assert result.code == 2
        assert "has changed" in result.err


def test_a_supernet_serves_a_second_budget(nas, pictures, searched):
    result = nas(
        "search",
        *FROM_ANOTHER,
        "--budget",
        "sram=12k",
        "--data",
        str(pictures),
        "--run",
        "tight",
        "--supernet-from",
        "signs",
    )
    assert result.code == 0, result.err
    assert "training the supernet" not in result.err
    other = nas("search", *FROM_ANOTHER, "--budget", "sram=12k", "--supernet-from", "signs")
    assert other.code == 2
    assert "its space is" in other.err
    vain = nas("search", *TINY, "--supernet-from", "signs")
    assert vain.code == 2
    assert "--supernet-epochs says how a supernet is trained" in vain.err


def test_the_same_path_from_python(nas, pictures, searched):
    import nas as fitnas

    run = fitnas.search(
        space="mcunetv2", budget="sram=24k,flash=200k", data=pictures, trials=6, supernet_epochs=1, backend="inline",
        seed=3, run="py",
    )  # fmt: skip
    assert list(run.front["number"]) == [trial.number for trial in run.pareto]
    assert run.best().metrics["top1"] == run.front["top1"].max()
    again = fitnas.load("runs/py")
    assert again.knee() == run.knee()
    assert run.export(pick="knee", out="out-py") == Path("out-py")
    command = nas("show", "signs", "--json").document
    assert archive(command["front"]) == archive(run.pareto.to_dict())


def test_time_is_up(nas, pictures):
    result = nas("search", *TINY, "--data", str(pictures), "--run", "short", "--time", "1s", "--trials", "500")
    assert result.code == 5
    assert "nas resume short" in result.err
    assert nas("show", "short", "--json").document["state"] == "stopped"


def test_json_and_quiet_keep_stdout_clean(nas, pictures):
    result = nas("search", *TINY, "--data", str(pictures), "--run", "a", "--json", "--quiet")
    assert result.document["run"] == "a"
    assert result.err == ""
    events = nas("search", *TINY, "--data", str(pictures), "--run", "b", "--json-events", "--quiet")
    kinds = [json.loads(line)["kind"] for line in events.out.splitlines()]
    assert kinds.count("complete") == 6
