import json
from pathlib import Path

import numpy as np
import pytest

from nas.benching import NasBench201, bench, counts, evaluations_to, interval, names, replay, table_path, task
from nas.progress import Silent
from search_spaces.core.errors import NotFound, WrongUse


def test_the_exact_front_is_the_published_one(fitnas_data: Path) -> None:
    fronts = json.loads((fitnas_data / "bench" / "nb201_true_fronts.json").read_text(encoding="utf-8"))
    known = task("gold_6226", fitnas_data)
    order = known.space.table(table_path(fitnas_data))["arch_index"].to_numpy()
    best = [np.flatnonzero(order == index)[0] for index in fronts["c100_eval_acc_200ep|lat_ms_gold_6226"]["front"]]
    front = known.trials(known.space.every(np.array(best)))
    assert known.share(front) == pytest.approx(1.0, abs=1e-12)
    assert known.share(front[1:] if known.share(front[1:]) < 1 else front[5:]) < 1


def test_auto_is_ahead_of_random_search_and_near_the_front(fitnas_data: Path) -> None:
    known = task("raspi4", fitnas_data)
    shares = {}
    for name in ("random", "auto"):
        found = [replay(known, name, seed, 100) for seed in (50, 51)]
        assert all(len({trial.architecture for trial in one.trials}) == 100 for one in found)
        shares[name] = np.mean([known.share(one.trials) for one in found])
    assert shares["auto"] > shares["random"] + 0.05
    assert shares["auto"] > 0.8


def test_evaluations_to_a_share_are_the_fewest(fitnas_data: Path) -> None:
    known = task("fpga", fitnas_data)
    trials = replay(known, "random", 0, 60).trials
    share = known.share(trials[:30])
    first = evaluations_to(known, trials, share)
    assert first is not None
    assert known.share(trials[: first - 1]) < share <= known.share(trials[:first])
    assert evaluations_to(known, trials, 0.999) is None


def test_a_table_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FITNAS_DATA", raising=False)
    with pytest.raises(
        NotFound, match=r"no tables are known; name the folder with --tables DIR or FITNAS_DATA\. .*HELP"
    ):
        table_path(None)
    with pytest.raises(NotFound, match=r"holds no nas_bench_201\.parquet"):
        table_path(tmp_path)


def test_misuse(fitnas_data: Path) -> None:
    with pytest.raises(WrongUse, match="did you mean 'raspi4'"):
        task("raspi", fitnas_data)
    with pytest.raises(WrongUse, match="unknown suite 'nb20'"):
        bench("nb20", ["random"], ["fpga"], [0], Silent())
    with pytest.raises(WrongUse, match="no rule"):
        bench("nb201", ["propose"], ["fpga"], [0], Silent())
    with pytest.raises(WrongUse, match="did you mean 'ehvi'"):
        bench("nb201", ["evhi"], ["fpga"], [0], Silent())
    for text in ("", "a,", "a,a"):
        with pytest.raises(WrongUse, match="different names"):
            names(text, "--strategies")
    with pytest.raises(WrongUse, match="positive whole numbers"):
        counts("50,-1")
    assert counts("100, 50") == [50, 100]


def test_interval_holds_the_mean_and_is_a_point_for_one() -> None:
    values = np.array([0.7, 0.8, 0.9])
    low, high = interval(values)
    assert 0.7 - 1e-9 <= low < values.mean() < high <= 0.9 + 1e-9
    assert interval(np.array([0.5])) == (0.5, 0.5)


def test_rows_and_matrices_belong_together() -> None:
    space = NasBench201()
    some = space.sample(np.random.default_rng(0), 50)
    assert (space.every(space.rows(some)).matrix == some.matrix).all()
