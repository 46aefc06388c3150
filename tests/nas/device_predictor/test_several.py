"""Several predictors in one search, and rows of counted operators, which serve any space."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.assembly import Parts, assemble_for
from nas.config import RunConfig
from nas.device_predictor import LearntPredictor, kept_predictors, load_predictor, save_predictor, save_predictors
from predictors.hardware.latency.operator_classes import COLUMNS, TRAFFIC, operator_classes
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.mcunetv2 import Mcunetv2
from tests.measured_rows import BOARD, counted, energy_of, measured_rows
from tests.nas.toy_space import ToySpace

SETTINGS = {"backbone": "micro", "resolutions": "16,24"}


@pytest.fixture(scope="module")
def space() -> Mcunetv2:
    return Mcunetv2.configured(SETTINGS, InputFacts(3, 24, 24, 5, 300))


@pytest.fixture(scope="module")
def folders(space: Mcunetv2, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Predictors of latency and of energy."""
    latency, energy = (tmp_path_factory.mktemp(name) for name in ("latency", "energy"))
    rows = measured_rows(space, 40)
    save_predictor(LearntPredictor(rows), latency)
    save_predictor(LearntPredictor(energy_of(rows)), energy)
    return [str(latency), str(energy)]


class TestSeveral:
    def parts(self, space: Mcunetv2, folders: list[str], **values: str) -> Parts:
        return assemble_for(space, RunConfig.checked(space="mcunetv2", predictor=folders, **values))

    def test_each_limit_is_held_to_its_own(self, space: Mcunetv2, folders: list[str]) -> None:
        parts = self.parts(space, folders, budget="latency=20ms,energy=54mJ", device="my-board")
        columns = parts.pricer(space.sample(np.random.default_rng(0), 300))
        within = (columns["latency_ms_high"] <= 20, columns["energy_mj_high"] <= 54)
        assert within[0].sum() > within[1].sum() > 0
        np.testing.assert_array_equal(columns["fits"], within[0] & within[1])
        assert set(parts.pricer.predicted) == {"latency_ms", "energy_mj"}
        assert len(parts.budget.describe(parts.runtime)) == 2

    def test_two_of_one_metric_are_refused(self, space: Mcunetv2, folders: list[str]) -> None:
        with pytest.raises(WrongUse) as error:
            self.parts(space, [*folders, folders[0]])
        assert str(error.value).startswith(f"--predictor {folders[0]} and {folders[0]} both predict latency")

    def test_every_one_is_of_the_device(self, space: Mcunetv2, folders: list[str], tmp_path: Path) -> None:
        other = replace(energy_of(measured_rows(space, 40)), target=replace(BOARD, device="meter"))
        save_predictor(LearntPredictor(other), tmp_path)
        assert len(self.parts(space, [folders[0], str(tmp_path)]).predictors) == 2
        with pytest.raises(WrongUse, match="--device my-board: the predictor is of the device meter"):
            self.parts(space, [folders[0], str(tmp_path)], device="my-board")

    def test_a_run_keeps_each(self, space: Mcunetv2, folders: list[str], tmp_path: Path) -> None:
        predictors = [load_predictor(Path(folder)) for folder in folders]
        save_predictors(predictors, tmp_path)
        kept = kept_predictors(tmp_path)
        assert [folder.name for folder in kept] == ["energy", "latency"]
        assert [load_predictor(folder).column for folder in kept] == ["energy_mj", "latency_ms"]

    def test_a_run_of_an_earlier_version_has_one_in_the_folder_itself(self, folders: list[str], tmp_path: Path) -> None:
        assert kept_predictors(Path(folders[0])) == [Path(folders[0])]
        with pytest.raises(NotFound, match="holds no predictor"):
            load_predictor(kept_predictors(tmp_path / "lost")[0])


class TestCounted:
    def test_it_is_what_is_learnt_from_the_networks_themselves(self, space: Mcunetv2, tmp_path: Path) -> None:
        rows = measured_rows(space, 40)
        save_predictor(LearntPredictor(counted(space, rows)), tmp_path)
        again = load_predictor(tmp_path)
        assert again.space_name is None
        population = space.sample(np.random.default_rng(1), 100)
        ours, theirs = again.forecast(space)(population), LearntPredictor(rows).forecast(space)(population)
        for column, values in theirs.items():
            np.testing.assert_allclose(ours[column], values, rtol=1e-4)
        assert again.forecast(ToySpace())

    def test_it_is_evaluated_on_networks_and_on_counts(self, space: Mcunetv2) -> None:
        predictor = LearntPredictor(counted(space, measured_rows(space, 40)))
        others = measured_rows(space, 50, seed=1)
        scores = predictor.evaluate(others)
        assert scores.within_10_percent == 1
        assert predictor.evaluate(counted(space, others)) == scores

    def test_networks_with_work_that_no_row_has_are_flagged(self, space: Mcunetv2) -> None:
        rows = counted(space, measured_rows(space, 40))
        place = rows.columns.index("macs depthwise 7x7")
        without = tuple(tuple(0.0 if at == place else count for at, count in enumerate(row)) for row in rows.counts)
        population = space.sample(np.random.default_rng(1), 100)
        has_work = operator_classes(space.decode(population)).values[:, COLUMNS.index("macs depthwise 7x7")] > 0
        flagged = LearntPredictor(replace(rows, counts=without)).forecast(space)(population)["latency_ms_extrapolated"]
        assert has_work.any()
        assert flagged[has_work].all()

    def test_traffic_that_nobody_counted_is_not_learnt_from(self, space: Mcunetv2) -> None:
        columns = tuple(name for name in COLUMNS if name not in TRAFFIC)
        predictor = LearntPredictor(counted(space, measured_rows(space, 40), columns))
        found = predictor.forecast(space)(space.sample(np.random.default_rng(1), 100))
        assert found["latency_ms_extrapolated"].mean() < 0.5
        with pytest.raises(WrongUse, match=r"the columns moved products, .* are missing, from which the predictor has"):
            LearntPredictor(counted(space, measured_rows(space, 40))).evaluate(
                counted(space, measured_rows(space, 20, seed=1), columns)
            )

    def test_a_predictor_of_a_space_is_not_evaluated_on_networks_of_none(self, space: Mcunetv2) -> None:
        with pytest.raises(WrongUse, match="counts of operators, of no space, the predictor of 'mcunetv2'"):
            LearntPredictor(measured_rows(space, 40)).evaluate(counted(space, measured_rows(space, 20, seed=1)))
