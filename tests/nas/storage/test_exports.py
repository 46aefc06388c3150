import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from nas.core.budget import Budget
from nas.core.objective import parse_objectives
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from nas.storage.exports import trials_table, write_front, write_trials
from search_spaces.core.architecture import Architecture

MakeTrial = Callable[..., Trial]


def test_the_front_is_written_with_all_that_it_depends_on(tmp_path: Path, make_trial: MakeTrial) -> None:
    trials = [make_trial(0, top1=0.5, macs=50, peak_sram_bytes=10)]
    budget = Budget.parse("sram=1k")
    front = ParetoFront(trials, parse_objectives("accuracy,macs"), Reference((1.0, 0.0), (0.0, 100.0)), budget)
    write_front(tmp_path / "pareto.json", front, runtime="tinyengine", budget=budget, run="signs")
    document = json.loads((tmp_path / "pareto.json").read_text())
    assert (document["run"], document["runtime"], document["hypervolume"]) == ("signs", "tinyengine", 0.25)
    assert document["budget"] == {
        "limits": {"peak_sram_bytes": 1024},
        "as_understood": ["sram <= 1,024 B (1 KiB), runtime tinyengine"],
    }
    assert document["trials"][0]["id"] == trials[0].architecture.id
    assert Trial.from_dict(document["trials"][0]) == trials[0]


def test_the_table_has_a_column_for_each_metric_and_choice(tmp_path: Path) -> None:
    first = Architecture("toy", {}, {"kernel": 3, "act": "relu", "mixed": 1})
    second = Architecture("toy", {}, {"kernel": 5, "act": "gelu", "mixed": "same", "depth": 2})
    trials = [
        Trial(0, first, "complete", {"macs": 2**53 + 1, "top1": 0.1}, patches=2, split=3, seconds=0.5, rejected=4),
        Trial(1, second, "failed", {"macs": 7}, error="lost worker"),
    ]
    write_trials(tmp_path / "trials.parquet", trials, run="signs")
    table = pd.read_parquet(tmp_path / "trials.parquet")
    assert list(table.columns) == [
        "number", "id", "state", "macs", "top1", "patches", "split", "seconds", "rejected", "error",
        "choice.kernel", "choice.act", "choice.mixed", "choice.depth",
    ]  # fmt: skip
    assert table["macs"].tolist() == [2**53 + 1, 7]
    assert table["macs"].dtype == "int64"
    assert table["top1"].isna().tolist() == [False, True]
    assert table["choice.mixed"].tolist() == ["1", "same"]
    assert table["choice.depth"].dropna().tolist() == [2]
    assert table.loc[0, ["patches", "split", "seconds", "rejected"]].tolist() == [2, 3, 0.5, 4]
    assert table["id"].tolist() == [first.id, second.id]


def test_no_trials_give_a_table_without_rows(tmp_path: Path) -> None:
    write_trials(tmp_path / "trials.parquet", [], run="signs")
    table = pd.read_parquet(tmp_path / "trials.parquet")
    assert len(table) == 0
    assert list(table.columns) == list(trials_table([]).columns)
