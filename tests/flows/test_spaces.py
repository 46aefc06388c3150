"""The scaling-rule spaces and `resnet` by the same commands: rules without data, searches, training, exports."""

import json
from pathlib import Path

import pytest

from search_spaces.core.registry import space_class

SEARCHES = {
    "tinynet": ("--budget", "macs=600k,params=400k", "--fidelity", "epochs=1"),
    "tinyvit": ("--set", "dims1=32", "--set", "dims4=128", "--budget", "params=500k", "--fidelity", "epochs=1"),
    "vit": ("--budget", "params=300k", "--supernet-epochs", "1"),
    "vit, reduced": ("--set", "reduction=true", "--budget", "params=450k,macs=6M", "--supernet-epochs", "1"),
    "resnet": ("--budget", "params=120k,macs=3M", "--supernet-epochs", "1"),
    "cct": ("--budget", "params=100k,macs=3M", "--fidelity", "epochs=1"),
}


@pytest.mark.parametrize("space", SEARCHES)
def test_from_search_to_export(nas, pictures, space):
    name = space.partition(",")[0]
    search = ("search", "--space", name, *SEARCHES[space], "--data", str(pictures), "--trials", "4")
    result = nas(*search, "--backend", "inline", "--run", "r", "--json")
    assert result.code == 0, result.err
    front = result.document["front"]["trials"]
    assert front
    assert all(member["metrics"]["params"] <= 500_000 for member in front)
    trained = nas("train", "r", "--pick", "best", "--epochs", "1", "--json")
    assert trained.code == 0, trained.err
    assert nas("export", "r", "--pick", "best", "--out", "out").code == 0
    assert nas("train", "r", "--pick", "best", "--epochs", "1", "--init-from", "out").code == 0
    cost = nas("cost", "out/architecture.json", "--json").document
    best = next(member for member in front if member["id"] == trained.document["id"])
    assert (cost["macs"], cost["params"]) == (best["metrics"]["macs"], best["metrics"]["params"])
    picture = next(path for path in sorted(Path(pictures).rglob("*.png")))
    predicted = nas("predict", "out", str(picture), "--json")
    assert predicted.code == 0
    assert sum(predicted.document[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("space", "budget", "options"),
    [
        ("tinynet", "macs=99536432", {"resolution": 184, "depth": 0.86}),
        ("tinyvit", "params=6M", {"stage4.dim": 320, "stage3.dim": 160}),
    ],
)
def test_a_rule_needs_no_data(nas, space, budget, options):
    told = nas("search", "--space", space, "--budget", budget, "--strategy", "propose", "--json")
    assert told.code == 0
    first = told.document["proposals"][0]
    assert {name: first["architecture"]["options"][name] for name in options} == options
    Path("a.json").write_text(json.dumps(first["architecture"]))
    assert nas("cost", "a.json", "--json").document["macs"] == first["macs"]
    table = nas("search", "--space", space, "--budget", budget, "--strategy", "propose")
    assert first["id"] in table.out
    assert "nothing is trained" in table.out
    assert not Path("runs").exists()


def test_a_rule_with_data_trains_its_own_networks_and_no_others(nas, pictures):
    search = ("search", "--space", "tinynet", "--budget", "macs=3M", "--strategy", "propose", "--data", str(pictures))
    result = nas(*search, "--fidelity", "epochs=1", "--trials", "12", "--backend", "inline", "--run", "r", "--json")
    assert result.code == 0, result.err
    macs = [trial["metrics"]["macs"] for trial in result.document["front"]["trials"]]
    assert result.document["trials"] < 12  # it ends where the rule has nothing new
    assert max(macs) <= 3e6


def test_a_contraction_trains_larger_networks_and_shows_none(nas, pictures):
    search = ("search", "--space", "tinyvit", "--budget", "params=400k", "--strategy", "propose", "--trials", "16")
    small = ("--set", "dims1=32", "--set", "dims2=64", "--set", "dims3=96,128", "--set", "dims4=128,192")
    result = nas(
        *search, *small, "--data", str(pictures), "--fidelity", "epochs=1", "--backend", "inline", "--run", "r"
    )
    assert result.code == 0, result.err
    shown = nas("show", "r", "--json").document
    assert shown["trials"] == 16
    assert 0 < len(shown["front"]["trials"]) < 16
    assert all(trial["metrics"]["params"] <= 400_000 for trial in shown["front"]["trials"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--space", "tinyvit", "--strategy", "propose", "--budget", "params=900M"), 3, "to 21,198,568 parameters"),
        (("--space", "mcunetv2", "--strategy", "propose"), 2, "spaces that have one: tinynet, tinyvit"),
        (("--space", "tinynet", "--strategy", "propose", "--budget", "macs=10k"), 3, "the smallest network has"),
        (("--space", "tinynet", "--strategy", "propose", "--budget", "macs=900G"), 3, "and the largest"),
        (("--space", "tinyvit", "--strategy", "propose", "--budget", "params=10k"), 3, "21,198,568 parameters"),
        (("--space", "tinyvit", "--set", "head_dim=48"), 2, "no multiple of 48"),
        (("--space", "tinyvit", "--set", "resolution=272"), 2, "no window of 3 to 14 pixels tiles the map of stage 2"),
        (("--space", "vit", "--set", "resolution=30"), 2, "do not tile"),
        (("--space", "tinynet", "--mac-convention", "thop"), 2, "conv-linear"),
    ],
)
def test_what_cannot_be(nas, arguments, code, said):
    result = nas("search", *arguments)
    assert result.code == code
    assert said in result.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stage2.window": 14}, "'14' is not an option of 'stage2.window': it knows 4"),
        ({"stage3.window": 3}, "'3' is not an option of 'stage3.window': it knows 2"),
        ({"head_dim": 24}, "'24' is not an option of 'head_dim': it knows 16, 32"),
    ],
)
def test_an_architecture_with_windows_or_heads_that_cannot_be(nas, options, said):
    space = space_class("tinyvit").configured({"resolution": "32"}, None)
    document = json.loads(space.extremes()[0].to_json())
    document["options"] |= options
    Path("a.json").write_text(json.dumps(document))
    result = nas("cost", "a.json")
    assert result.code == 2, result.err
    assert said in result.err


def test_published_networks_are_named_and_priced(nas):
    for name, params in (("tinynet_a", 6_187_972), ("tiny_vit_5m", 5_392_764), ("deit_tiny", 5_717_416)):
        assert nas("cost", name, "--json").document["params"] == params
    told = nas("cost", "deit_tiny", "--mac-convention", "fvcore", "--json").document
    assert (told["macs"], told["mac_convention"]) == (1_258_411_200, "fvcore")
    assert "norms and the last pooling" in nas("cost", "deit_tiny", "--mac-convention", "fvcore").out
    assert "tinynet_e" in nas("spaces", "tinynet").out
