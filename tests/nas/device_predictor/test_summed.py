"""A lookup table as a predictor: sums, what it lacks, what calibration gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.assembly import assemble_for, make_space
from nas.config import RunConfig
from nas.device_predictor import SummedPredictor, lacking_operators, load_predictor, save_predictor
from nas.progress import Silent
from nas.searching import admit, reference
from nas.storage.counted_rows import CountedRows
from nas.storage.operator_times import OperatorTimes
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import Kind
from search_spaces.mcunetv2 import Mcunetv2
from tests.measured_rows import BOARD, measured_rows, milliseconds
from tests.nas.toy_space import ToySpace
from tests.operator_times import operator_times

SETTINGS = {"backbone": "micro", "resolutions": "16,24"}


@pytest.fixture(scope="module")
def space() -> Mcunetv2:
    return Mcunetv2.configured(SETTINGS, InputFacts(3, 24, 24, 5, 300))


@pytest.fixture(scope="module")
def times(space: Mcunetv2) -> OperatorTimes:
    return operator_times(space)


@pytest.fixture(scope="module")
def partial(times: OperatorTimes) -> OperatorTimes:
    """Without the depthwise convolutions of 7x7."""
    of_seven = {shape for shape in times.times if (shape.kind, shape.kernel) == (Kind.DEPTHWISE, 7)}
    assert of_seven
    return replace(times, times={shape: time for shape, time in times.times.items() if shape not in of_seven})


def test_a_network_takes_what_its_operators_take(times: OperatorTimes, space: Mcunetv2) -> None:
    predictor = SummedPredictor(times)
    population = space.sample(np.random.default_rng(1), 300)
    columns = predictor.forecast(space)(population)
    assert set(columns) == {"latency_ms", "latency_ms_extrapolated"}  # no interval is known
    np.testing.assert_allclose(columns["latency_ms"], milliseconds(population))
    assert not columns["latency_ms_extrapolated"].any()
    assert predictor.cross_validated() is None
    assert predictor.notes(space) == []
    assert all(len(values) == 0 for values in predictor.forecast(space)(space.population([])).values())


def test_without_an_interval_a_limit_is_held_to_the_sum(times: OperatorTimes, space: Mcunetv2, tmp_path: Path) -> None:
    save_predictor(SummedPredictor(times), tmp_path)
    config = RunConfig.checked(space="mcunetv2", predictor=str(tmp_path), budget="latency=20ms", device="my-board")
    parts = assemble_for(space, config)
    columns = parts.pricer(space.sample(np.random.default_rng(0), 200))
    np.testing.assert_array_equal(columns["fits"], columns["latency_ms"] <= 20)
    assert 0 < columns["fits"].sum() < 200
    told = "held to the prediction itself, for no interval is known"
    assert parts.pricer.predicted["latency_ms"].endswith(f"from the times of {len(times.times)} operators, {told}")


def test_measured_networks_give_a_factor_and_an_interval(times: OperatorTimes, space: Mcunetv2) -> None:
    measured = measured_rows(space, 20, noise=0.03)
    slower = replace(
        measured, figures=tuple(replace(each, value=1.4 * each.value) for each in measured.figures if each)
    )
    predictor = SummedPredictor(times, slower)
    population = space.sample(np.random.default_rng(3), 200)
    columns = predictor.forecast(space)(population)
    truth = 1.4 * milliseconds(population) * np.exp(0.03 * np.random.default_rng(4).standard_normal(200))
    np.testing.assert_allclose(columns["latency_ms"], 1.4 * milliseconds(population), rtol=0.03)
    inside = (columns["latency_ms_low"] <= truth) & (truth <= columns["latency_ms_high"])
    assert 0.8 < inside.mean() < 1
    own = predictor.cross_validated()
    assert own is not None
    assert (own.networks, own.covered, own.within_10_percent) == (20, None, 1)
    others = predictor.evaluate(measured_rows(space, 60, seed=9))
    assert others.covered == 0  # 1.4 times as fast as those calibrated with
    assert others.mape == pytest.approx(0.4, abs=0.03)
    with pytest.raises(WrongUse, match="learnt from networks of 'mcunetv2', not of 'toy'"):
        predictor.forecast(ToySpace())


def test_few_measured_networks_give_a_factor_alone(times: OperatorTimes, space: Mcunetv2) -> None:
    predictor = SummedPredictor(times, measured_rows(space, 8))
    assert not predictor.has_interval
    scores = predictor.evaluate(measured_rows(space, 30, seed=2))
    assert (scores.within_10_percent, scores.covered, scores.interval) == (1, None, np.inf)


def test_a_network_with_an_operator_that_is_not_there_is_left_out(partial: OperatorTimes, space: Mcunetv2) -> None:
    predictor = SummedPredictor(partial)
    lacking, share = lacking_operators(space, partial)
    assert {(shape.kind, shape.kernel) for shape in lacking} == {(Kind.DEPTHWISE, 7)}
    population = space.sample(np.random.default_rng(5), 300)
    columns = predictor.forecast(space)(population)
    unknown = np.isinf(columns["latency_ms"])
    assert 1 - unknown.mean() == pytest.approx(share, abs=0.05)
    np.testing.assert_array_equal(unknown, columns["latency_ms_extrapolated"])
    np.testing.assert_allclose(columns["latency_ms"][~unknown], milliseconds(population)[~unknown])
    [note] = predictor.notes(space)
    assert f"no time for {len(lacking)} operators ('depthwise 7x7 s1 g" in note
    assert f"networks that have one are left out ({100 * (1 - share):.3g} % of those sampled)" in note


class Heard(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_search_admits_what_is_known_alone(partial: OperatorTimes, space: Mcunetv2, tmp_path: Path) -> None:
    published = make_space("mcunetv2", SETTINGS)
    known = {shape: time for shape, time in operator_times(published).times.items() if shape.kernel < 7}
    save_predictor(SummedPredictor(replace(partial, times=known)), tmp_path)
    config = RunConfig.checked(space="mcunetv2", set=SETTINGS, predictor=str(tmp_path), objectives="accuracy,latency")
    heard = Heard()
    admitted = admit(config, reporter=heard)
    assert any("are left out" in note for note in heard.notes)
    latency = admitted.feasibility.columns["latency_ms"]
    np.testing.assert_array_equal(admitted.feasibility.columns["fits"], np.isfinite(latency))
    assert 0 < admitted.feasibility.share < 1
    box = reference(admitted.parts, admitted.feasibility)
    assert np.isfinite([*box.ideal, *box.worst]).all()


def test_a_table_that_knows_no_network_is_refused(times: OperatorTimes, tmp_path: Path) -> None:
    other = make_space("mcunetv2", {"backbone": "micro", "resolutions": "32"})
    with pytest.raises(WrongUse, match="every sampled network has such an operator; nas predictor operators --space"):
        SummedPredictor(times).notes(other)


def test_rows_with_an_operator_that_is_not_there_are_refused(partial: OperatorTimes, space: Mcunetv2) -> None:
    with pytest.raises(WrongUse, match=r"row \d+, column architecture: the lookup table has no time for \d+ operators"):
        SummedPredictor(partial).evaluate(measured_rows(space, 40))
    counted = CountedRows(BOARD, ("a",), ("number products",), ((1.0,),), (2.0,))
    with pytest.raises(WrongUse, match="do not tell the shapes"):
        SummedPredictor(partial).evaluate(counted)


def test_rows_of_another_target_do_not_calibrate(times: OperatorTimes, space: Mcunetv2) -> None:
    with pytest.raises(WrongUse, match="to calibrate with are of device my-board, tflm int8, batch 1, 2 threads"):
        SummedPredictor(times, measured_rows(space, 10, target=replace(BOARD, threads=2)))
    with pytest.raises(WrongUse, match="to calibrate with are of energy_mj, the table of latency_ms"):
        SummedPredictor(times, replace(measured_rows(space, 10), column="energy_mj"))


def test_what_is_kept_is_the_same_predictor(times: OperatorTimes, space: Mcunetv2, tmp_path: Path) -> None:
    predictor = SummedPredictor(times, measured_rows(space, 12))
    save_predictor(predictor, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["operators.csv", "predictor.json", "rows.csv"]
    again = load_predictor(tmp_path)
    population = space.sample(np.random.default_rng(2), 50)
    ours, theirs = predictor.forecast(space)(population), again.forecast(space)(population)
    assert list(theirs) == list(ours)
    for column, values in ours.items():
        np.testing.assert_allclose(theirs[column], values, rtol=1e-5)  # rows keep six digits
    (tmp_path / "operators.csv").write_text((tmp_path / "operators.csv").read_text() + "\n")
    with pytest.raises(FitnasError, match=r"operators\.csv is not what"):
        load_predictor(tmp_path)


def test_from_python(times: OperatorTimes, space: Mcunetv2, tmp_path: Path) -> None:
    times.write(tmp_path / "table.csv")
    measured_rows(space, 12).write(tmp_path / "rows.csv")
    given = nas.fit_predictor(tmp_path / "table.csv", tmp_path / "made", calibrate=tmp_path / "rows.csv")
    assert given.has_interval
    assert load_predictor(tmp_path / "made") == given
    with pytest.raises(
        WrongUse, match=r"rows\.csv: the networks to calibrate with are of .* 1 thread, the table of .*fp32"
    ):
        nas.fit_predictor(tmp_path / "table.csv", tmp_path / "no", calibrate=tmp_path / "rows.csv", precision="fp32")
    with pytest.raises(WrongUse, match="--model ridge learns from networks"):
        nas.fit_predictor(tmp_path / "table.csv", tmp_path / "no", model="ridge")
    assert not (tmp_path / "no").exists()
