"""Known results as an evaluator."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nas.core.objective import parse_objectives
from nas.core.trial import Trial
from nas.evaluation.table import TableEvaluator
from nas.storage.exports import trials_table
from nas.strategies.random import RandomSearch
from search_spaces.core.errors import NotFound, WrongUse
from tests.nas.toy_space import Price, ToySpace

SPACE = ToySpace()


def trials(n: int = 30) -> list[Trial]:
    population = SPACE.sample(np.random.default_rng(5), n)
    return [Trial(i, a, "complete", {"top1": i / 100, "macs": 1000 + i}) for i, a in enumerate(population)]


@pytest.fixture(params=["csv", "parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / f"known.{request.param}"
    table = trials_table(trials())
    if request.param == "csv":
        table.to_csv(file, index=False)
    else:
        table.to_parquet(file)
    return file


def test_the_trials_of_a_run_are_a_table(path: Path) -> None:
    evaluator = TableEvaluator(SPACE, path)
    for trial in trials():
        assert evaluator.evaluate(trial.architecture) == {"top1": trial.metrics["top1"]}
    with pytest.raises(WrongUse, match="does not stand in the table"):
        evaluator.evaluate(SPACE.extremes()[1])


def test_only_what_stands_in_it_fits(path: Path) -> None:
    evaluator = TableEvaluator(SPACE, path)
    known = SPACE.population([trial.architecture for trial in trials()])
    others = SPACE.sample(np.random.default_rng(6), 50)
    priced = evaluator.price(Price(limit=np.inf))
    assert priced(known)["fits"].all()
    assert not priced(others)["fits"].any()


def test_every_candidate_is_the_nearest_row_that_is_left(path: Path) -> None:
    evaluator = TableEvaluator(SPACE, path)
    strategy = evaluator.strategy(RandomSearch(SPACE, parse_objectives("accuracy"), 30))
    asked = strategy.ask(10, np.random.default_rng(0))
    wanted = SPACE.sample(np.random.default_rng(0), 10)
    distances = (evaluator.known.matrix != wanted.matrix[0]).sum(axis=1)
    assert (asked.matrix[0] != wanted.matrix[0]).sum() == distances.min()
    assert len(set(asked.keys())) == 10
    strategy.tell(trials(25))
    left = strategy.ask(10, np.random.default_rng(0))
    assert set(left.keys()) == set(SPACE.population([t.architecture for t in trials()[25:]]).keys())


def test_repeated_rows_are_averaged_and_failed_ones_left_out(tmp_path: Path) -> None:
    table = trials_table(trials(3))
    more = table.assign(top1=table["top1"] + 0.5)
    more.loc[1, "state"] = "failed"
    more.loc[2, "top1"] = np.nan
    pd.concat([table, more]).to_csv(tmp_path / "t.csv", index=False)
    evaluator = TableEvaluator(SPACE, tmp_path / "t.csv")
    found = [evaluator.evaluate(trial.architecture)["top1"] for trial in trials(3)]
    assert found == pytest.approx([0.25, 0.01, 0.02])


def test_rows_of_other_spaces_are_left_out(tmp_path: Path) -> None:
    table = trials_table(trials(4))
    table["choice.c03"] = [table["choice.c03"][0], 99, None, table["choice.c03"][3]]
    table.to_csv(tmp_path / "t.csv", index=False)
    assert len(TableEvaluator(SPACE, tmp_path / "t.csv").known) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "lacks a column for the choice 'c00'"),
        (",".join(f"c{i:02d}" for i in range(8)) + "\n" + ",".join("0" * 8), "lacks a column top1 or accuracy"),
        (",".join(f"c{i:02d}" for i in range(8)) + ",accuracy\n" + ",".join("9" * 8) + ",0.5", "none of its 1 rows"),
        ("", "cannot be read as a table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(WrongUse, match=message):
        TableEvaluator(SPACE, tmp_path / "t.csv")


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        TableEvaluator(SPACE, tmp_path / "t.csv")
    (tmp_path / "t.pkl").write_bytes(b"")
    with pytest.raises(WrongUse, match=r"\.csv or \.parquet"):
        TableEvaluator(SPACE, tmp_path / "t.pkl")
