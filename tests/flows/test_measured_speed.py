"""Throughput and latency of this machine as limits and objectives."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from nas.assembly import assemble_for, make_space
from nas.config import RunConfig
from nas.evaluation import host_speed
from nas.reporting.proposals import Proposals
from search_spaces.blocks.joined_mbconv import JoinedMbconv
from search_spaces.core.errors import WrongUse
from tests.told import Told

SMALL = ("--set", "dims1=32", "--set", "dims2=64", "--set", "dims3=96,128", "--set", "dims4=128,192")
WHOSE = "measured: host, torch fp32, batch 2, 1 thread"


@pytest.fixture
def measured(monkeypatch):
    """Counts the networks that are measured."""
    real, asked = host_speed.host_speed, []

    def counted(space, columns, setup, population, **more):
        asked.extend(architecture.id for architecture in population)
        return real(space, columns, setup, population, **more)

    monkeypatch.setattr(host_speed, "host_speed", counted)
    monkeypatch.setattr(host_speed, "MEASURED_SECONDS", 0.01)
    monkeypatch.setattr(host_speed, "WARM_UP_SECONDS", 0.0)
    return asked


def test_a_contraction_under_parameters_and_throughput(nas, pictures, measured):
    search = ("search", "--space", "tinyvit", "--strategy", "propose", "--trials", "8", "--measure", "batch=2", *SMALL)
    more = ("--data", str(pictures), "--fidelity", "epochs=1", "--backend", "inline", "--run", "r")
    result = nas(*search, *more, "--budget", "params=400k,throughput=2/s")
    assert result.code == 0, result.err
    assert f"budget throughput >= 2 images/s, {WHOSE}" in result.err
    assert f"{WHOSE}; asked of networks within the exact limits and of those the rule comes down from" in result.err
    assert "may differ between runs" in result.err
    assert f"throughput {WHOSE}" in result.out.replace("\n", " ")
    front = nas("show", "r", "--json").document["front"]["trials"]
    assert front
    assert len(set(measured)) == len(measured)
    for trial in front:
        assert trial["metrics"]["params"] <= 400_000
        assert trial["metrics"]["images_per_second"] >= 2
        assert trial["metrics"]["images_per_second_batch"] == 2
        assert trial["metrics"]["images_per_second_threads"] == 1
    written = json.loads(Path("runs/r/pareto.json").read_text())
    assert written["budget"]["as_understood"][1] == f"throughput >= 2 images/s, {WHOSE}"


def test_a_resumed_run_measures_no_network_again(nas, pictures, measured):
    search = (
        "search",
        "--space",
        "tinynet",
        "--objectives",
        "accuracy,latency",
        "--strategy",
        "random",
        "--trials",
        "3",
    )
    more = ("--data", str(pictures), "--fidelity", "epochs=1", "--backend", "inline", "--set", "resolutions=16,32")
    assert nas(*search, *more, "--run", "whole").code == 0
    run = Path("runs/whole")
    before = {trial["id"] for trial in nas("show", "whole", "--json").document["front"]["trials"]}
    assert before <= set(measured)
    assert len(set(measured)) == len(measured)
    known = set(measured)
    config = (run / "config.toml").read_text().replace("trials = 3", "trials = 4")
    (run / "config.toml").write_text(config)
    measured.clear()
    resumed = nas("resume", "whole", "--json")
    assert resumed.code == 0, resumed.err
    assert len(measured) <= 1  # the fourth may be one that was measured before it was trained
    assert not known & set(measured)
    assert resumed.document["measured"] == {"latency_ms": "measured: host, torch fp32, batch 1, 1 thread"}


@pytest.mark.parametrize("space", ["tinynet", "tinyvit"])
def test_a_rule_without_data_is_measured_too(nas, measured, space):
    small = ("--set", "resolutions=32") if space == "tinynet" else ("--set", "resolution=32")
    told = nas("search", "--space", space, *small, "--budget", "latency=10s", "--strategy", "propose", "--json")
    assert told.code == 0, told.err
    assert 0 < told.document["proposals"][0]["latency_ms"] <= 10_000
    assert told.document["measured"]["latency_ms"].endswith("batch 1, 1 thread")
    assert "asked of networks within the exact limits alone" in told.err
    refused = nas("search", "--space", space, *small, "--budget", "latency=1us", "--strategy", "propose")
    assert refused.code == 3
    limit = "latency <= 0.001 ms, measured: host, torch fp32, batch 1, 1 thread, while the smallest"
    assert limit in refused.err
    assert re.search(r"that fits \(\w+\) has [\d.,]+ ms; give a limit that it meets", refused.err)
    exact = nas("search", "--space", space, *small, "--budget", "latency=1us,macs=10", "--strategy", "propose")
    assert exact.code == 3


@pytest.mark.parametrize("space", ["tinynet", "tinyvit"])
def test_a_rule_that_fails_measures_nothing_beyond_the_exact_limits(nas, monkeypatch, space):
    asked = []

    def slow(space, columns, setup, population, **more):
        asked.extend(assemble_for(space, RunConfig(space=space.name)).pricer(population)["params"].tolist())
        return {"images_per_second": np.full(len(population), 2.0)}

    monkeypatch.setattr(host_speed, "host_speed", slow)
    small = ("--set", "resolutions=32") if space == "tinynet" else ("--set", "resolution=32")
    refused = nas("search", "--space", space, *small, "--budget", "params=4M,throughput=3/s", "--strategy", "propose")
    assert refused.code == 3
    assert "throughput >= 3 images/s, measured: host" in refused.err
    assert "has 2 images/s; give a limit that it meets" in refused.err
    assert len(asked) == 1
    assert asked[0] <= 4e6


def test_a_floor_that_nothing_reaches_is_told_before_anything_is_trained(nas, pictures, measured):
    search = ("search", "--space", "tinyvit", *SMALL, "--data", str(pictures))
    result = nas(*search, "--budget", "throughput=90000000/s")
    assert result.code == 3
    assert "throughput >= 90,000,000 images/s, measured: host, torch fp32, batch 32, 1 thread, while" in result.err
    assert "while the fastest of" in result.err
    assert not Path("runs").exists()
    exact_first = nas(*search, "--budget", "params=10,throughput=1/s")
    assert exact_first.code == 3
    assert "smallest network needs" in exact_first.err


@pytest.mark.parametrize("strategy", ["random", "propose"])
def test_measuring_ends_with_the_time(nas, pictures, monkeypatch, strategy):
    asked = []

    def slower_and_slower(space, columns, setup, population, **more):
        asked.extend(population.keys())
        time.sleep(0.3)
        return {"images_per_second": np.full(len(population), 9.0 if len(asked) == 1 else 0.1)}

    monkeypatch.setattr(host_speed, "host_speed", slower_and_slower)
    search = ("search", "--space", "tinyvit", *SMALL, "--data", str(pictures), "--budget", "throughput=2/s")
    result = nas(*search, "--strategy", strategy, "--time", "1s", "--backend", "inline", "--run", "r")
    assert result.code == 5, result.err
    assert "the time limit was reached; everything is saved, go on with: nas resume r" in result.err
    assert len(asked) <= 5
    assert nas("list", "--json").document[0]["state"] == "stopped"


@pytest.mark.parametrize("data", [True, False])
@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (("--space", "mcunetv2", "--sampling", "multi"), "--sampling multi cannot train the supernet of 'mcunetv2'"),
        (("--space", "tinynet", "--table", "known.csv"), "--table known.csv lacks a column"),
    ],
)
def test_what_cannot_serve_is_refused_before_anything_is_measured(
    nas, pictures, measured, monkeypatch, data, refused, said
):
    def one_at_a_time(supernet, architectures):
        raise WrongUse("its sub-networks differ in everything")

    monkeypatch.setattr(JoinedMbconv, "activate_many", one_at_a_time)
    Path("known.csv").write_text("a,b\n1,2\n")
    given = ("--data", str(pictures)) if data else ()
    result = nas("search", *refused, *given, "--budget", "latency=1s", "--dry-run")
    assert result.code == 2, result.err
    assert said in result.err
    assert not measured


def test_a_dry_run_says_how_long_measuring_takes(nas, pictures, measured):
    search = ("search", "--space", "tinynet", "--set", "resolutions=16,32", "--data", str(pictures), "--dry-run")
    known = ("--measure", "batch=2", "--fidelity", "epochs=1", "--trials", "5")
    result = nas(*search, *known, "--objectives", "accuracy,throughput", "--json")
    expected = result.document["expected_seconds"]
    assert expected["measuring"] == pytest.approx(5 * expected["measuring_each"])
    assert expected["measuring_each"] > 0
    assert len(measured) == 1
    said = nas(*search, *known, "--budget", "throughput=0.01/s").out.replace("\n", " ")
    assert re.search(r"measuring speed: \d+ s meanwhile, \d+\.\d s a network on the CPU", said)
    assert "measuring speed" not in nas(*search, *known[2:]).out


def test_help_says_where_speed_is_measured(nas):
    said = " ".join(nas("search", "--help").out.replace("│", " ").split())
    assert "measured on this machine's CPU, whatever --accelerator says" in said
    assert "is measured here: on the CPU, whatever --accelerator says" in said


def test_proposals_without_data_show_what_they_measure(measured):
    config = RunConfig.checked(space="tinynet", set={"resolutions": "32,48"}, budget="throughput=0.01/s,macs=20M")
    parts = assemble_for(make_space("tinynet", config.set), config)
    reporter = Told()
    document = Proposals.of(parts, reporter).to_document()
    ((what, moves),) = reporter.bars
    assert (what, moves[-1]) == ("measuring speed", (len(measured), len(measured)))
    assert {total for _, total in moves[:-1]} == {0}
    assert len(measured) == len(set(measured)) >= len(document["proposals"]) >= 1
    assert all(row["images_per_second"] > 0 for row in document["proposals"])
