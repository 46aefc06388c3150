"""`nas quantize`: widths for one network of a run within a budget."""

import json
from pathlib import Path

import pytest

from search_spaces.core.policy import QuantizationPolicy
from tests.flows.test_whole_path import BUDGET, TINY

MIXED = ("--runtime", "onnxruntime", "--widths", "int8,w4a8", "--allow-unexecutable", "--policy")


@pytest.fixture
def searched(search_once):
    return search_once(*TINY, *BUDGET, "--run", "signs")


def test_policies_side_by_side_and_the_best_is_kept(nas, searched):
    smallest = nas("quantize", "signs", *MIXED, "uniform", "--budget", "bitops=1", "--json")
    assert smallest.code == 3
    assert "the smallest is " in smallest.err

    found = nas("quantize", "signs", *MIXED, "all", "--budget", "size=34k,bitops=50M", "--json", "--quiet")
    assert found.code == 0, found.err
    document = found.document
    assert {one["policy"] for one in document["policies"]} == {
        "greedy", "hessian", "relevance", "sensitivity", "uniform",
    }  # fmt: skip
    for one in document["policies"]:
        assert one["weight_bytes"] <= 34 * 1024
        assert one["bitops"] <= 50_000_000
        assert 0 <= one["validation_top1"] <= 1
    spent = {one["policy"]: (one["evaluations"], one["gradients"]) for one in document["policies"]}
    assert spent["uniform"] == (0, 0)
    assert spent["hessian"] == (0, 32)
    assert spent["greedy"][0] > spent["sensitivity"][0] > 0
    best = max(document["policies"], key=lambda one: one["validation_top1"])
    assert document["kept"] == best["policy"]
    assert document["path"] == f"runs/signs/members/{document['id']}/policy.json"
    policy = QuantizationPolicy.from_document(json.loads(Path(document["path"]).read_text()))
    assert {name: each.name for name, each in policy.widths.items()} == best["widths"]
    assert len(set(best["widths"].values())) > 1
    assert nas("show", "signs").code == 0  # a folder without weights beside trained members


def test_the_runs_own_runtime_says_what_it_executes(nas, searched, tmp_path):
    alone = nas("quantize", "signs", "--budget", "size=200k", "--out", "policy.json")
    assert alone.code == 0, alone.err
    assert "size <= 204,800 B (200 KiB)" in alone.out
    assert set(json.loads(Path("policy.json").read_text())["widths"].values()) == {"int8"}
    again = nas("quantize", "signs", "--budget", "size=200k", "--out", "policy.json")
    assert (again.code, "--force" in again.err) == (2, True)
    lacking = nas("quantize", "signs", "--budget", "size=200k", "--widths", "int8,w4")
    assert lacking.code == 2
    assert "the runtime tinyengine executes int8; give --runtime analytic, or" in lacking.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--budget", "size=2k"), 3, "the smallest is "),
        (("--budget", "sram=64k"), 2, "a policy is held to size, flash, bitops"),
        (("--budget", "size=200k", "--policy", "gredy"), 2, "did you mean 'greedy'?"),
        (("--budget", "size=200k", "--widths", "int9"), 2, "a width is fp32, int8"),
        (("--budget", "size=200k", "--pick", "nobody"), 4, "there is no such trial"),
        ((), 2, "--budget"),
    ],
)
def test_bad_input(nas, searched, arguments, code, told):
    found = nas("quantize", "signs", *arguments)
    assert found.code == code
    assert told in found.err
    assert not list(Path("runs/signs").glob("members/*/policy.json"))
