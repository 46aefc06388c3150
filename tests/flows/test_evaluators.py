"""Searches that train each network alone, with halving and recipes, and searches of a table."""

import json
from pathlib import Path

import pandas as pd
import pytest

SPACE = ("--space", "mcunetv2", "--set", "resolutions=16,24", "--budget", "sram=12k", "--seed", "3")


def archive(document):
    return [{name: value for name, value in t.items() if name != "seconds"} for t in document["front"]["trials"]]


@pytest.fixture
def halved(search_once):
    return search_once(*SPACE, "--fidelity", "epochs=1,2", "--trials", "14", "--backend", "inline", "--run", "h")


@pytest.mark.usefixtures("unchecked_exports")
def test_halving_ends_what_is_behind_and_keeps_the_weights_of_the_front(nas, pictures, halved):
    assert "the best 50 % after 1 epochs go on" in halved.err
    assert "supernet" not in halved.out
    table = pd.read_parquet("runs/h/trials.parquet")
    assert set(table["epochs"]) == {1, 2}
    assert (table["top1_after_2"].notna() == (table["epochs"] == 2)).all()
    front = nas("show", "h", "--json").document["front"]["trials"]
    kept = {path.stem for path in Path("runs/h/checkpoints/trials").iterdir()}
    assert kept == {member["id"] for member in front}
    assert f"{len(kept)} networks of the front" in halved.out

    assert nas("export", "h", "--pick", "best", "--out", "out").code == 0
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["weights"]["weights"] == "trained in the search"
    assert nas("train", "h", "--pick", "best", "--epochs", "1", "--json").document["weights"] == "fine-tuned"
    dropped = next(t for t in table["id"] if t not in kept)
    refused = nas("train", "h", "--pick", dropped, "--epochs", "1")
    assert refused.code == 4
    assert "--from-scratch" in refused.err
    assert nas("train", "h", "--pick", dropped, "--epochs", "1", "--from-scratch").code == 0


def test_halving_through_ray_tune_is_the_same_search(nas, pictures, halved):
    alone = nas("show", "h", "--json").document
    result = nas(
        "search", *SPACE, "--data", str(pictures), "--fidelity", "epochs=1,2", "--trials", "14", "--workers", "2",
        "--run", "ray", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert archive(result.document) == archive(alone)


@pytest.mark.usefixtures("unchecked_exports")
def test_recipes_are_searched_and_exported(nas, pictures):
    result = nas(
        "search", *SPACE, "--data", str(pictures), "--recipe", "--set", "recipe_epochs=1,2", "--trials", "6",
        "--backend", "inline", "--run", "r",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "the recipe is searched too: optimizer" in result.err
    table = pd.read_parquet("runs/r/trials.parquet")
    assert (table["epochs"] == table["choice.recipe.epochs"]).all()
    shown = nas("show", "r", "best")
    assert "learning_rate" in shown.out
    assert nas("export", "r", "--pick", "best", "--out", "out").code == 0
    recipe = json.loads(Path("out/manifest.json").read_text())["recipe"]
    assert recipe["optimizer"] in ("adamw", "sgd")
    assert recipe["epochs"] in (1, 2)
    assert nas("cost", "out/architecture.json", "--json").document["macs"] > 0
    trained = nas("train", "r", "--pick", "best", "--from-scratch", "--json").document
    assert trained["epochs"] == recipe["epochs"]


def test_an_earlier_run_is_a_table(nas, pictures, halved):
    result = nas(
        "search", *SPACE, "--data", str(pictures), "--table", "runs/h/trials.parquet", "--trials", "50", "--run", "t",
        "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.document["trials"] == 14
    assert "no further architecture" in result.document["conclusion"]
    first = nas("show", "h", "--json").document["front"]
    assert result.document["front"]["hypervolume"] == first["hypervolume"]
    refused = nas("train", "t", "--pick", "best")
    assert refused.code == 4
    assert "--from-scratch" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fidelity", "epochs=9,3"), "rising whole numbers"),
        (("--fidelity", "epochs=3", "--evaluator", "supernet"), "--fidelity belongs to --evaluator train"),
        (("--recipe", "--evaluator", "supernet"), "shared weights know nothing of a recipe"),
        (("--evaluator", "table"), "--table FILE.csv"),
        (("--evaluator", "train", "--supernet-epochs", "3"), "--supernet-epochs belongs to --evaluator supernet"),
        (("--evaluator", "tabel"), "did you mean 'table'"),
        (("--table", "x.csv", "--fidelity", "epochs=3"), "--fidelity belongs to --evaluator train"),
    ],
)
def test_options_that_do_not_go_together(nas, arguments, message):
    result = nas("search", *SPACE, *arguments)
    assert result.code == 2
    assert message in result.err
    assert not Path("runs").exists()


def test_a_table_that_does_not_exist(nas):
    result = nas("search", *SPACE, "--table", "nowhere.csv")
    assert result.code == 4
    assert "nowhere.csv" in result.err
