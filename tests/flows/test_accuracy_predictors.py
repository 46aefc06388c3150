"""Accuracy learnt from runs, kept, judged by another run; and searches that train nothing."""

import json
from pathlib import Path

import pytest

import nas as fitnas

SPACE = ("--space", "mcunetv2", "--set", "backbone=micro", "--set", "resolutions=16,24")
SEARCH = (*SPACE, "--trials", "12", "--backend", "inline")
RIDGE = ("--metric", "accuracy", "--model", "ridge")
PROXIED = (*SPACE, "--evaluator", "zero_cost", "--objectives", "zero_cost,macs", "--budget", "sram=12k")
ZERO_COST = (*PROXIED, "--trials", "15", "--backend", "inline", "--run", "z")


def test_from_runs_to_a_predictor_and_its_judgement(nas, search_once):
    search_once(*SEARCH, "--supernet-epochs", "1", "--run", "a")
    other = (*SEARCH, "--strategy", "random", "--supernet-from", "a", "--seed", "1", "--data", "pictures", "--run", "b")
    assert nas("search", *other, "--quiet").code == 0
    fitted = nas("predictor", "fit", "a", *RIDGE, "--out", "acc/", "--json")
    assert fitted.code == 0, fitted.err
    document = fitted.document
    assert (document["model"], document["proxies"], document["evaluator"]) == ("ridge", ["nwot"], "supernet")
    assert (document["data"], document["scores"]["networks"]) == ("pictures", 12)
    text = Path("acc/rows.csv").read_text()
    assert text.splitlines()[0] == "id,space,architecture,top1,nwot"
    known = {trial.architecture.id: trial.metrics["top1"] for trial in fitnas.load("runs/a").trials}
    assert {line.split(",")[0] for line in text.splitlines()[1:]} == set(known)
    assert {path.name for path in Path("acc").iterdir()} == {"predictor.json", "rows.csv"}

    judged = nas("predictor", "evaluate", "acc/", "b", "--json")
    assert judged.code == 0, judged.err
    shared = len(set(known) & {trial.architecture.id for trial in fitnas.load("runs/b").trials})
    assert judged.document["scores"]["networks"] == 12
    assert judged.document["remarks"] == (
        [f"{shared} of these networks were learnt from, which flatters the figures"] if shared else []
    )
    scores = fitnas.evaluate_accuracy_predictor("acc", "b")
    assert (scores.networks, scores.rmse) == (12, judged.document["scores"]["rmse"])

    # the folder's own rows are a file like any other; the same rows give the same figures
    again = nas("predictor", "fit", "acc/rows.csv", *RIDGE, "--out", "copy/", "--json")
    assert again.document["scores"] == document["scores"]
    assert Path("copy/rows.csv").read_bytes() == Path("acc/rows.csv").read_bytes()
    joined = fitnas.fit_accuracy_predictor(["a", Path("runs/b")], "two", proxies="none")
    assert len(joined.rows.architectures) == 24 - shared
    assert (joined.whose.sources, joined.model_name) == (["a", "b"], "random_forest")
    refused = nas("predictor", "fit", "a", "two/rows.csv", "--metric", "accuracy", "--out", "acc/")
    assert refused.code == 2
    assert "--force" in refused.err
    searched = nas("search", *SPACE, "--predictor", "acc/", "--budget", "latency=5ms", "--dry-run")
    assert (searched.code, "predicts accuracy; expected a predictor of latency" in searched.err) == (2, True)
    lacking = nas("predictor", "evaluate", "acc/", "two/rows.csv")
    assert lacking.code == 2
    assert "no column nwot" in lacking.err
    given = nas("predictor", "evaluate", "acc/", "two/rows.csv", "--data", "pictures")
    assert given.code == 0, given.err
    assert "Kendall" in given.out
    assert "12 of these networks were learnt from" in given.out
    assert nas("predictor", "evaluate", "acc/", "two/rows.csv", "--data", "digits").code == 2
    twice = nas("predictor", "evaluate", "acc/", "b", "--data", "pictures")
    assert "a run has its own data" in twice.err


def test_a_search_that_trains_nothing(nas, search_once):
    result = search_once(*ZERO_COST)
    assert "warning: zero_cost is NASWOT of untrained networks, NOT their accuracy" in result.err
    assert "nas predictor proxies --run RUN" in result.out
    assert "accuracy " not in result.out.splitlines()[1]
    document = nas("show", "z", "--json").document
    assert document["warning"].startswith("zero_cost is NASWOT")
    front = document["front"]
    assert [each["metric"] for each in front["objectives"]] == ["zero_cost", "macs"]
    assert all("top1" not in trial["metrics"] for trial in front["trials"])
    (best, _), (worst, _) = front["reference"]["ideal"], front["reference"]["worst"]
    assert worst < max(trial["metrics"]["zero_cost"] for trial in front["trials"]) < best
    assert 0 < front["hypervolume"] < 1

    untrained = nas("export", "z", "--pick", "knee", "--out", "out")
    assert untrained.code == 4
    assert "nas train z --pick" in untrained.err
    trained = nas("train", "z", "--pick", "knee", "--epochs", "1", "--json")
    assert trained.code == 0, trained.err
    assert trained.document["weights"] == "trained from scratch"
    assert "zero_cost" in nas("show", "z", "knee").out
    assert nas("report", "z").code == 0
    assert "NOT their accuracy" in Path("runs/z/report.html").read_text()
    assert "no networks whose accuracy" in nas("predictor", "proxies", "--run", "z").err.replace("0 n", "no n")
    refused = nas("predictor", "fit", "z", "--metric", "accuracy", "--out", "acc/")
    assert (refused.code, "--evaluator supernet or train" in refused.err) == (2, True)


@pytest.mark.usefixtures("unchecked_exports")
def test_what_was_trained_is_exported_and_another_proxy_is_not_compared(nas, search_once):
    search_once(*ZERO_COST)
    assert nas("train", "z", "--pick", "knee", "--epochs", "1", "--quiet").code == 0
    assert nas("export", "z", "--pick", "knee", "--out", "out").code == 0
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["weights"]["weights"] == "trained from scratch"
    other = (*PROXIED, "--proxy", "synflow", "--trials", "3", "--backend", "inline", "--run", "s")
    assert nas("search", *other, "--data", "pictures", "--quiet").code == 0
    compared = nas("compare", "z", "s")
    assert "NOT COMPARED: their measurements differ: z has NASWOT" in compared.out
    assert "best: zero-cost score" in compared.out
    assert nas("resume", "z").code == 0
    planned = nas("search", *PROXIED, "--data", "pictures", "--dry-run", "--json").document["expected_seconds"]
    assert planned["supernet"] == 0
    assert planned["evaluations"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--evaluator", "zero_cost"), "write --objectives zero_cost,macs"),
        (("--objectives", "zero_cost,macs"), "comes from --evaluator zero_cost alone, and this search has supernet"),
        (("--objectives", "zero_cost,macs", "--proxy", "nwott"), "did you mean 'nwot'"),
        (("--objectives", "zero_cost", "--proxy", "nwot", "--budget", "accuracy=90%"), "--budget accuracy"),
        (("--proxy", "nwot", "--evaluator", "train"), "--proxy belongs to --evaluator zero_cost"),
        (("--budget", "zero_cost=5"), "make it an objective"),
        (("--objectives", "zero_cost", "--proxy", "nwot", "--recipe"), "--recipe goes by accuracy"),
    ],
)
def test_a_proxy_is_asked_for_by_name_and_is_never_an_accuracy(nas, arguments, told):
    result = nas("search", "--space", "mcunetv2", *arguments)
    assert result.code == 2
    assert told in result.err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("fit", "nowhere", "--metric", "accuracy", "--out", "b/"), 4, "there is no run 'nowhere'"),
        (("fit", "none.csv", "--metric", "accuracy", "--out", "b/"), 4, "none.csv"),
        (("fit", "a", "--metric", "acuracy", "--out", "b/"), 2, "did you mean 'accuracy'"),
        (("fit", "a", "b", "--out", "b/"), 2, "latency learns from one file"),
        (("fit", "a", "--proxies", "none", "--out", "b/"), 2, "--proxies is for --metric accuracy"),
        (("fit", "a", "--metric", "accuracy", "--device", "x", "--out", "b/"), 2, "--device belongs to latency"),
        (("fit", "a", "--metric", "accuracy", "--proxies", "nwott", "--out", "b/"), 2, "did you mean 'nwot'"),
    ],
)
def test_what_cannot_be_learnt_is_told(nas, arguments, code, told):
    result = nas("predictor", *arguments)
    assert result.code == code
    assert told in result.err
    assert not Path("b").exists()
