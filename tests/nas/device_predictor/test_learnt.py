"""A predictor of a board: what it learns, what it keeps, what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.assembly import Parts, assemble_for, make_space
from nas.config import RunConfig
from nas.core.measured import Target
from nas.device_predictor import DevicePredictor, LearntPredictor, load_predictor, save_predictor
from nas.storage.measured_rows import MeasuredRows
from search_spaces.core.errors import FitnasError, NotFound, WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.mcunetv2 import Mcunetv2
from tests.measured_rows import BOARD, measured_rows, milliseconds
from tests.nas.toy_space import ToySpace

SETTINGS = {"backbone": "micro", "resolutions": "16,24"}


@pytest.fixture(scope="module")
def space() -> Mcunetv2:
    return Mcunetv2.configured(SETTINGS, InputFacts(3, 24, 24, 5, 300))


@pytest.fixture(scope="module")
def predictor(space: Mcunetv2) -> DevicePredictor:
    return LearntPredictor(measured_rows(space, 40))


def test_a_sum_over_operators_is_learnt(predictor: DevicePredictor, space: Mcunetv2) -> None:
    scores = predictor.evaluate(measured_rows(space, 100, seed=1))
    assert scores.kendall > 0.97
    assert scores.within_10_percent == 1
    assert scores.covered is not None
    assert scores.covered > 0.8
    assert 0 < scores.interval < 0.1
    own = predictor.cross_validated()
    assert (own.networks, own.covered) == (40, None)
    assert own.within_10_percent == 1


def test_what_is_kept_is_the_same_predictor(predictor: DevicePredictor, space: Mcunetv2, tmp_path: Path) -> None:
    save_predictor(predictor, tmp_path / "p")
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["predictor.json", "rows.csv"]
    again = load_predictor(tmp_path / "p")
    population = space.sample(np.random.default_rng(2), 50)
    ours, theirs = predictor.forecast(space)(population), again.forecast(space)(population)
    for column, values in ours.items():
        np.testing.assert_allclose(theirs[column], values, rtol=1e-4)  # rows keep six digits


def test_a_forecast_has_an_interval_and_says_what_it_has_not_seen(predictor: DevicePredictor, space: Mcunetv2) -> None:
    population = space.sample(np.random.default_rng(3), 200)
    columns = predictor.forecast(space)(population)
    assert set(columns) == {"latency_ms", "latency_ms_low", "latency_ms_high", "latency_ms_extrapolated"}
    truth = milliseconds(population)
    assert ((columns["latency_ms_low"] <= truth) & (truth <= columns["latency_ms_high"])).mean() > 0.85
    assert (columns["latency_ms_low"] <= columns["latency_ms"]).all()
    assert columns["latency_ms_extrapolated"].mean() < 0.5
    larger = Mcunetv2.configured({"backbone": "micro", "resolutions": "96"}, InputFacts(3, 96, 96, 5, 300))
    beyond = predictor.forecast(larger)(larger.sample(np.random.default_rng(0), 20))
    assert (beyond["latency_ms_extrapolated"] == 1).all()
    assert all(len(values) == 0 for values in predictor.forecast(space)(space.population([])).values())


def test_the_figure_says_whose_it_is(predictor: DevicePredictor, space: Mcunetv2) -> None:
    expected = "predicted: device my-board, tflm int8, batch 1, 1 thread, from 40 networks"
    assert predictor.whose == expected
    assert predictor.forecast(space).whose["latency_ms"].startswith(expected)


def test_energy_is_learnt_the_same_way(space: Mcunetv2, tmp_path: Path) -> None:
    save_predictor(LearntPredictor(replace(measured_rows(space, 40), column="energy_mj")), tmp_path)
    again = load_predictor(tmp_path)
    assert again.column == "energy_mj"
    config = RunConfig.checked(space="mcunetv2", predictor=str(tmp_path), budget="energy=20mJ")
    parts = assemble_for(space, config)
    columns = parts.pricer(space.sample(np.random.default_rng(0), 100))
    np.testing.assert_array_equal(columns["fits"], columns["energy_mj_high"] <= 20)
    assert 0 < columns["fits"].sum() < 100
    with pytest.raises(WrongUse, match="rows are of latency_ms, the predictor of energy_mj"):
        again.evaluate(measured_rows(space, 10))


class TestRefused:
    def test_a_row_that_nobody_measured(self, space: Mcunetv2) -> None:
        rows = measured_rows(space, 20)
        with pytest.raises(WrongUse, match="row 5, column latency_ms: empty"):
            LearntPredictor(replace(rows, figures=(*rows.figures[:3], None, *rows.figures[4:])))

    def test_rows_of_two_spaces(self, space: Mcunetv2) -> None:
        rows = measured_rows(space, 20)
        other = ToySpace().extremes()[0]
        with pytest.raises(WrongUse, match="row 21: a network of the space 'toy', while row 2 has one of 'mcunetv2'"):
            LearntPredictor(replace(rows, architectures=(*rows.architectures[:-1], other)))

    def test_fewer_rows_than_coefficients(self, space: Mcunetv2) -> None:
        with pytest.raises(WrongUse, match="at least"):
            LearntPredictor(measured_rows(space, 4)).cross_validated()

    def test_an_unknown_model(self, space: Mcunetv2) -> None:
        with pytest.raises(WrongUse, match="additive"):
            LearntPredictor(measured_rows(space, 20), "aditive").cross_validated()

    def test_rows_of_another_target(self, predictor: DevicePredictor, space: Mcunetv2) -> None:
        with pytest.raises(WrongUse, match="compare like with like"):
            predictor.evaluate(measured_rows(space, 10, target=replace(BOARD, threads=2)))

    def test_another_space(self, predictor: DevicePredictor) -> None:
        with pytest.raises(WrongUse, match="learnt from networks of 'mcunetv2', not of 'tinynet'"):
            predictor.forecast(make_space("tinynet"))


class TestKept:
    @pytest.fixture
    def folder(self, predictor: DevicePredictor, tmp_path: Path) -> Path:
        save_predictor(predictor, tmp_path)
        return tmp_path

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="holds no predictor"):
            load_predictor(tmp_path / "nowhere")

    @pytest.mark.parametrize("text", ["", "{}", '{"format": 2}', "[1]", "\x00"])
    def test_damaged_facts(self, folder: Path, text: str) -> None:
        (folder / "predictor.json").write_text(text)
        with pytest.raises(FitnasError, match="is damaged"):
            load_predictor(folder)

    def test_rows_that_were_changed_behind_its_back(self, folder: Path) -> None:
        rows = MeasuredRows.read(folder / "rows.csv")
        replace(rows, architectures=rows.architectures[:-1], figures=rows.figures[:-1]).write(folder / "rows.csv")
        with pytest.raises(FitnasError, match="is not what"):
            load_predictor(folder)


class TestInASearch:
    def parts(self, space: Mcunetv2, folder: Path, **values: str) -> Parts:
        config = RunConfig.checked(space="mcunetv2", predictor=str(folder), budget="latency=5ms", **values)
        return assemble_for(space, config)

    def saved(self, space: Mcunetv2, folder: Path, target: Target = BOARD) -> Path:
        save_predictor(LearntPredictor(measured_rows(space, 40, target=target)), folder)
        return folder

    def test_a_device_of_which_the_predictor_alone_knows(self, space: Mcunetv2, tmp_path: Path) -> None:
        parts = self.parts(space, self.saved(space, tmp_path), device="my-board")
        assert (parts.device, parts.gate, parts.measure) == (None, None, None)
        assert "predicted: device my-board" in parts.budget.describe(parts.runtime)[0]

    def test_another_device(self, space: Mcunetv2, tmp_path: Path) -> None:
        with pytest.raises(WrongUse, match="the predictor is of the device my-board"):
            self.parts(space, self.saved(space, tmp_path), device="stm32f746")

    def test_a_known_device_gives_its_memory_too(self, space: Mcunetv2, tmp_path: Path) -> None:
        folder = self.saved(space, tmp_path, replace(BOARD, device="stm32f746"))
        parts = self.parts(space, folder, device="stm32f746")
        assert {"latency_ms", "peak_sram_bytes", "flash_bytes"} <= set(parts.budget.limits)

    def test_another_runtime_that_has_a_memory_rule(self, space: Mcunetv2, tmp_path: Path) -> None:
        folder = self.saved(space, tmp_path, replace(BOARD, runtime="c"))
        with pytest.raises(WrongUse, match="the predictor is of the runtime c"):
            self.parts(space, folder, runtime="tinyengine")

    def test_memory_is_that_of_the_predictor_s_runtime(self, space: Mcunetv2, tmp_path: Path) -> None:
        folder = self.saved(space, tmp_path, replace(BOARD, runtime="c"))
        assert self.parts(space, folder).runtime == "c"

    def test_without_a_predictor_latency_of_a_device_is_unknown(self, space: Mcunetv2) -> None:
        config = RunConfig.checked(space="mcunetv2", budget="latency=5ms", device="stm32f746")
        with pytest.raises(WrongUse, match="nas profile and nas predictor fit learn latency of your own device"):
            assemble_for(space, config)
