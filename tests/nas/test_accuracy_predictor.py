"""A predictor of accuracy: what it learns, what it keeps, what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.accuracy_predictor import LearntAccuracy, Whose
from nas.pricing import Pricer
from nas.storage.accuracy_rows import AccuracyRows
from nas.storage.learnt_folder import predicted_metric
from search_spaces.core.errors import FitnasError, NotFound, WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.mcunetv2 import Mcunetv2

SPACE = Mcunetv2.configured({"backbone": "micro", "resolutions": "16,24"}, InputFacts(3, 24, 24, 5, 300))
WHOSE = Whose(data="signs", data_hash="12ab", evaluator="supernet", sources=["a"], pictures=32)


def known_rows(count: int, seed: int = 0, told: float = 1.0) -> AccuracyRows:
    """Accuracy grows with the logarithm of the work and with what a proxy says, of which `told` is true."""
    rng = np.random.default_rng(seed)
    drawn = SPACE.sample(rng, 3 * count)
    population = drawn[np.sort(np.unique(drawn.matrix, axis=0, return_index=True)[1])[:count]]
    macs = Pricer(SPACE, "analytic", schedule="none")(population)["macs"]
    hidden = rng.standard_normal(count)
    top1 = 0.5 + 0.1 * np.log10(macs / 1e6) + 0.05 * hidden
    score = told * hidden + (1 - told) * rng.standard_normal(count)
    return AccuracyRows(tuple(population), np.clip(top1, 0, 1), {"nwot": score})


@pytest.fixture(scope="module")
def learnt() -> LearntAccuracy:
    return LearntAccuracy(known_rows(60), whose=WHOSE)


def test_work_and_proxies_are_learnt_from(learnt: LearntAccuracy) -> None:
    others = known_rows(80, seed=1)
    scores = learnt.evaluate(others)
    assert scores.kendall > 0.6
    assert scores.rmse < 0.7 * others.top1.std()
    assert scores.covered is not None
    assert scores.covered > 0.8
    assert 0 < scores.interval < 0.2
    own = learnt.cross_validated()
    assert own.networks == 60
    assert own.kendall > 0.5
    assert own.covered == pytest.approx(0.9, abs=0.06)
    without = LearntAccuracy(learnt.rows.with_proxies([])).evaluate(others)
    assert without.kendall < scores.kendall - 0.1


def test_what_is_kept_is_the_same_predictor_to_the_last_bit(learnt: LearntAccuracy, tmp_path: Path) -> None:
    scores = learnt.save(tmp_path / "acc")
    assert sorted(path.name for path in (tmp_path / "acc").iterdir()) == ["predictor.json", "rows.csv"]
    assert predicted_metric(tmp_path / "acc") == "accuracy"
    again = LearntAccuracy.load(tmp_path / "acc")
    assert (again.whose, again.model_name) == (WHOSE, "random_forest")
    assert again.cross_validated() == scores
    others = known_rows(10, seed=2)
    for ours, theirs in zip(learnt.predict(others), again.predict(others), strict=True):
        assert ours.tolist() == theirs.tolist()
    assert again.told == "accuracy on signs (supernet), from 60 networks, with nwot"


def test_a_network_without_a_score_counts_as_the_lowest(learnt: LearntAccuracy) -> None:
    others = known_rows(5, seed=3)
    lowest = float(learnt.rows.proxies["nwot"].min())
    asked = (replace(others, proxies={"nwot": np.full(5, value)}) for value in (np.nan, lowest))
    means = [learnt.predict(rows)[0].tolist() for rows in asked]
    assert means[0] == means[1]


def test_a_proxy_that_never_has_a_score_teaches_nothing() -> None:
    rows = known_rows(20)
    blind = replace(rows, proxies={"nwot": np.full(20, np.nan)})
    assert (
        LearntAccuracy(blind, "ridge").cross_validated()
        == LearntAccuracy(rows.with_proxies([]), "ridge").cross_validated()
    )


def test_of_few_networks_no_interval_is_told() -> None:
    scores = LearntAccuracy(known_rows(8), "ridge").cross_validated()
    assert (scores.covered, scores.interval) == (None, float("inf"))


class TestRefused:
    def test_rows_without_a_proxy_that_was_learnt_from(self, learnt: LearntAccuracy) -> None:
        with pytest.raises(WrongUse, match="learnt from the proxy nwot"):
            learnt.predict(known_rows(5).with_proxies([]))

    def test_networks_for_another_input(self, learnt: LearntAccuracy) -> None:
        larger = Mcunetv2.configured({"backbone": "micro", "resolutions": "32"}, InputFacts(3, 32, 32, 5, 300))
        rows = AccuracyRows(tuple(larger.sample(np.random.default_rng(0), 3)), np.full(3, 0.5), {"nwot": np.zeros(3)})
        with pytest.raises(WrongUse, match="other settings: resolutions"):
            learnt.predict(rows)

    def test_an_unknown_model(self) -> None:
        with pytest.raises(WrongUse, match="did you mean 'random_forest'"):
            LearntAccuracy(known_rows(20), "random_forrest").cross_validated()


class TestKept:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        LearntAccuracy(known_rows(9), "ridge", WHOSE).save(tmp_path)
        return tmp_path

    def test_nothing_there(self, tmp_path: Path) -> None:
        for ask in (LearntAccuracy.load, predicted_metric):
            with pytest.raises(NotFound, match="holds no predictor"):
                ask(tmp_path / "nowhere")

    @pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', "[1]", "\x00"])
    def test_damaged_facts(self, folder: Path, text: str) -> None:
        (folder / "predictor.json").write_text(text)
        for ask in (LearntAccuracy.load, predicted_metric):
            with pytest.raises(FitnasError, match="is damaged"):
                ask(folder)

    def test_rows_that_were_changed_behind_its_back(self, folder: Path) -> None:
        known_rows(8).write(folder / "rows.csv")
        with pytest.raises(FitnasError, match="is not what"):
            LearntAccuracy.load(folder)
