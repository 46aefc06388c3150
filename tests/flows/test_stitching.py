"""Trained networks stitched by the commands of the README, exported as one and as a family."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import nas as fitnas
from nas.member import network_of
from tests.tiny_run import write_anchor, write_convolutional_anchor, write_swin_anchor

SEED = 0
SHORT = ("--supernet-epochs", "1", "--backend", "inline", "--seed", str(SEED))


@pytest.fixture
def anchors(tmp_path: Path) -> str:
    return ",".join(str(write_anchor(tmp_path / f"dim{dim}", dim, heads)) for dim, heads in ((64, 2), (96, 3)))


def elastic(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The exported network, loaded as its README says."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "parts", raising=False)  # that of a folder before
    specification = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    network = module.network()
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network.eval()


def test_from_anchors_to_a_family_in_one_network(nas, anchors, monkeypatch):
    found = nas("search", "--space", "snnet", "--set", f"anchors={anchors}", "--run", "s", *SHORT)
    assert found.code == 0, found.err
    assert "A = dim64: 3 blocks of 64 channels" in found.err
    assert "9 routes in all, 7 of them no deeper" in found.err
    assert "anchor B, dim96" in found.out
    assert "points)" in found.out
    run = fitnas.load("runs/s")
    assert len(run.trials) == 7

    assert nas("export", "s", "--all", "--out", "family").code == 0
    assert nas("export", "s", "--pick", "best", "--out", "best").code == 0
    network = elastic(Path("family"), monkeypatch)
    routes = json.loads(Path("family/manifest.json").read_text())["routes"]
    assert [route["macs"] for route in routes] == sorted(trial.metrics["macs"] for trial in run.trials)
    with pytest.raises(ValueError, match="the cheapest has"):
        network.set_budget(macs=routes[0]["macs"] - 1)
    chosen = network.set_budget(macs=1e12)
    assert chosen["name"] == run.best().architecture.options["route"]
    pictures = torch.randn(3, 1, 16, 16)
    single = run.parts.space.build(run.best().architecture)
    single.load_state_dict(load_file("best/model.safetensors"))
    with torch.no_grad():
        assert torch.allclose(network(pictures), single.eval()(pictures), atol=1e-5)

    assert nas("report", "s").code == 0
    page = Path("runs/s/report.html").read_text()
    assert 'id="stitching"' in page
    assert "the best stitch" in page
    assert nas("export", "s", "--all", "--to", "timm").code == 2


def test_both_ways_with_low_rank_updates(nas, tmp_path, monkeypatch):
    pair = [write_anchor(tmp_path / "small", 64, 2), write_anchor(tmp_path / "large", 96, 3, depth=6)]
    setting = f"anchors={pair[1]},{pair[0]}"  # the order given does not matter
    found = nas("search", "--space", "snnetv2", "--set", setting, "--set", "rank=2", "--run", "s", *SHORT)
    assert found.code == 0, found.err
    assert "A = small: 3 blocks of 64 channels" in found.err
    tensors = load_file("runs/s/checkpoints/supernet.safetensors")
    fitted = [name for name in tensors if name.startswith("model.stitches.") and name.endswith(".up")]
    assert fitted
    assert any(tensors[name].abs().max() > 0 for name in fitted)
    assert nas("export", "s", "--all", "--out", "family").code == 0
    assert not [name for name in load_file("family/model.safetensors") if name.endswith((".up", ".down"))]


def test_anchors_out_of_a_run(nas, tmp_path):
    found = nas("search", "--space", "vit", "--set", "preset=micro", "--run", "v", "--trials", "3", *SHORT)
    assert found.code == 0, found.err
    first, second, *_ = (trial.architecture.id for trial in fitnas.load("runs/v").trials)
    both = ("--space", "snnetv2", "--set", f"anchors=v:{first},v:{second}", "--run", "s")
    result = nas("search", *both, "--dry-run")
    assert result.code == 0, result.err
    assert f"v:{first}" in result.err
    other = nas("search", *both, "--seed", "5")
    assert other.code == 2
    assert "give --seed 0" in other.err
    assert not Path("runs/s").exists()


def test_convolutional_anchors_are_stitched_stage_by_stage(nas, tmp_path, monkeypatch):
    anchors = [write_convolutional_anchor(tmp_path / f"wide{width}", width) for width in (0.2, 0.3)]
    setting = f"anchors={anchors[0]},{anchors[1]}"
    found = nas("search", "--space", "snnet", "--set", setting, "--run", "s", *SHORT)
    assert found.code == 0, found.err
    assert "A = wide0.2: 10 blocks of 32 to 64 channels" in found.err
    run = fitnas.load("runs/s")
    names = {str(trial.architecture.options["route"]) for trial in run.trials}
    assert names == {"A", "B", "A[:4]+B[4:]", "A[:5]+B[5:]", "A[:6]+B[6:]"}  # stages of 1, 1, 1, 4 and 3 blocks
    stitched = next(trial for trial in run.trials if len(str(trial.architecture.options["route"])) > 1)
    pick = stitched.architecture.id
    assert nas("train", "s", "--pick", pick, "--epochs", "1").code == 0
    assert nas("export", "s", "--pick", pick, "--out", "one").code == 0
    assert nas("report", "s").code == 0
    assert nas("export", "s", "--all", "--out", "family").code == 0  # checks every route against its plain network
    network = elastic(Path("family"), monkeypatch)
    inherited = {trial.number: network_of(run, trial)[0] for trial in run.trials if trial.architecture.id != pick}
    by_macs = sorted(run.trials, key=lambda trial: trial.metrics["macs"])
    pictures = torch.randn(3, 1, 16, 16)
    for number, trial in enumerate(by_macs):
        if trial.number in inherited:
            network.set_route(number)
            with torch.no_grad():
                assert torch.allclose(network(pictures), inherited[trial.number](pictures), rtol=1e-4, atol=1e-4)
    both_ways = nas("search", "--space", "snnetv2", "--set", setting, "--run", "t", *SHORT)
    assert both_ways.code == 2
    assert "5 stages; choose --space snnet" in both_ways.err
    mixed = nas("search", "--space", "snnet", "--set", f"anchors={anchors[0]},deit_tiny", "--run", "t", *SHORT)
    assert mixed.code == 2
    assert "one class of networks" in mixed.err


def test_swin_anchors_are_stitched_stage_by_stage(nas, pictures, tmp_path, monkeypatch):
    anchors = [write_swin_anchor(tmp_path / f"dim{dim}", dim) for dim in (16, 24)]
    of = ("--space", "snnet", "--data", str(pictures), "--set")
    found = nas("search", *of, f"anchors={anchors[0]},{anchors[1]}", "--set", "anchor_rate=0.1", "--run", "s", *SHORT)
    assert found.code == 0, found.err
    assert "A = dim16: 6 blocks of 16 to 64 channels" in found.err
    run = fitnas.load("runs/s")
    by_macs = sorted(run.trials, key=lambda trial: trial.metrics["macs"])
    names = [str(trial.architecture.options["route"]) for trial in by_macs]
    assert sorted(names) == ["A", "A[:1]+B[1:]", "A[:3]+B[3:]", "A[:4]+B[4:]", "B"]  # stages of 2, 3 and 1 blocks
    stitched = by_macs[2]
    assert nas("cost", f"s:{stitched.architecture.id}", "--layers").code == 0
    assert nas("export", "s", "--all", "--out", "family").code == 0  # checks every route against its plain network
    assert nas("export", "s", "--pick", stitched.architecture.id, "--out", "one").code == 0
    network, one = elastic(Path("family"), monkeypatch), run.parts.space.build(stitched.architecture).eval()
    one.load_state_dict(load_file("one/model.safetensors"))
    assert network.set_budget(macs=by_macs[0].metrics["macs"])["name"] == names[0] == "A"
    network.set_route(2)
    probe = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(network(probe), one(probe), atol=1e-5)

    whole = next(trial for trial in run.trials if trial.architecture.options["route"] == "B").architecture.id
    again = nas("search", *of, f"anchors={anchors[0]},s:{whole}", "--run", "t", "--dry-run")
    assert again.code == 0, again.err  # a network of such a run is an anchor again
    of_stitch = nas("search", *of, f"anchors={anchors[0]},one", "--run", "t", "--dry-run")
    assert of_stitch.code == 2
    assert "has stitches between its blocks" in of_stitch.err


def test_published_swins_by_name(nas):
    names = ",".join(f"swin_{size}_patch4_window7_224" for size in ("tiny", "small", "base"))
    told = nas("search", "--space", "snnet", "--set", f"anchors={names}", "--dry-run")
    assert told.code == 0, told.err
    assert "C = swin_base_patch4_window7_224: 24 blocks of 128 to 1024 channels, weights not read yet" in told.err
    assert "41 routes in all, 41 of them no deeper" in told.err


# bad input


def test_a_budget_below_the_cheapest_route(nas, anchors):
    result = nas("search", "--space", "snnet", "--set", f"anchors={anchors}", "--budget", "macs=10k", "--run", "s")
    assert result.code == 3
    assert "(a proved lower bound)" in result.err
    assert not Path("runs/s").exists()


@pytest.mark.parametrize(
    ("space", "names", "code", "told"),
    [
        ("snnet", "dim64", 2, "2 to 26 anchors, got 1"),
        ("snnet", "dim64,dim64", 2, "named twice"),
        ("snnet", "dim64,deit_tinny", 2, "did you mean 'deit_tiny'"),
        ("snnet", "dim64,deit_tiny", 2, "anchors have one input_size"),
        ("snnet", "dim64,nobody:1234", 4, "nobody"),
        ("snnet", "dim64,swin_tiny_patch4_window7_224", 2, "one class of networks"),
        ("snnet", "dim64,swinv2_tiny_window8_256", 2, "SwinTransformerV2 that is neither"),
        ("snnet", "dim64,deit_tiny_patch16_224@weights.pth", 2, "can hold code"),
        ("snnet", "dim64,deit_tiny_patch16_224@weights.safetensors", 4, "does not exist"),
        ("snnetv2", "deep,dim96", 2, "no deeper than the larger"),
        ("snnet", "deep,dim96", 2, "as many or more blocks"),
        ("snnetv2", "dim64,dim96,deep", 2, "stitches two networks, got 3"),
    ],
)
def test_anchors_that_do_not_go_together(nas, anchors, tmp_path, space, names, code, told):
    write_anchor(tmp_path / "deep", 64, 2, depth=4)
    result = nas("search", "--space", space, "--set", f"anchors={names}", "--run", "s")
    assert result.code == code, result.err
    assert told in result.err
    assert not Path("runs/s").exists()


def test_anchors_without_weights_are_priced_and_not_searched(nas, shared_pictures):
    assert nas("search", "--space", "snnet", "--dry-run").code == 0
    result = nas("search", "--space", "snnet", "--data", str(shared_pictures), "--run", "s")
    assert result.code == 4
    assert "deit_tiny has no weights" in result.err
    assert not Path("runs/s").exists()


@pytest.mark.parametrize("damage", ["missing", "extra"])
def test_weights_of_another_network(nas, anchors, tmp_path, damage):
    path = tmp_path / "dim64" / "model.safetensors"
    tensors = load_file(path)
    if damage == "missing":
        del tensors["norm.weight"]
    else:
        tensors["more"] = torch.zeros(1)
    save_file(tensors, path)
    result = nas("search", "--space", "snnet", "--set", f"anchors={anchors}", "--run", "s", *SHORT)
    assert result.code == 2
    assert "lacks norm.weight" in result.err if damage == "missing" else "has more" in result.err


def test_only_stitched_runs_are_families(nas, pictures):
    made = nas("search", "--space", "mcunetv2", "--set", "resolutions=16", "--data", str(pictures), "--trials", "2",
               "--run", "m", *SHORT)  # fmt: skip
    assert made.code == 0, made.err
    result = nas("export", "m", "--all")
    assert result.code == 2
    assert "leave --all away" in result.err
