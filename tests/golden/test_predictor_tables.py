"""A small gate of `benchmarks/predictor_quality.py`: published tables, 100 networks learnt from, a few seeds."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.latency_tables import (
    MeasuredNetworks,
    fbnet,
    nas_bench_201,
    nas_bench_201_accuracy,
    without_unconnected,
)
from predictors.accuracy import accuracy_predictor
from predictors.core.scores import kendall, mape, within
from predictors.hardware.latency import latency_predictor

SEEDS = range(3)


@pytest.fixture(scope="module")
def nb201(fitnas_data: Path) -> MeasuredNetworks:
    return nas_bench_201(fitnas_data)


def means(networks: MeasuredNetworks, column: str) -> dict[str, float]:
    """Of the default model: Kendall, share within 10 %, share inside the intervals of 90 %."""
    measured, rows = networks.columns[column].to_numpy(), []
    for seed in SEEDS:
        known, asked = networks.split(100, 3000, seed)
        model = latency_predictor().fit(networks.features[known], measured[known], networks.details[known])
        found = model.predict(networks.features[asked], networks.details[asked])
        inside = (found.low <= measured[asked]) & (measured[asked] <= found.high)
        rows.append(
            (kendall(measured[asked], found.mean), within(measured[asked], found.mean, 0.1), float(inside.mean()))
        )
    return dict(zip(("kendall", "within 10 %", "inside"), np.mean(rows, axis=0).tolist(), strict=True))


def test_no_architecture_is_learnt_from_and_asked(nb201: MeasuredNetworks) -> None:
    known, asked = nb201.split(100, 3000, seed=0)
    assert len(known) == len(set(nb201.groups[known])) == 100
    assert len(asked) == 3000
    assert not set(nb201.groups[known]) & set(nb201.groups[asked])
    # 1 -> 2 leads nowhere without 2 -> 3, and nothing leaves a node that nothing reaches
    assert without_unconnected(np.array([[3, 0, 3, 1, 0, 0], [0, 2, 3, 1, 3, 3]])).tolist() == [
        [0, 0, 0, 1, 0, 0],
        [0, 2, 0, 1, 0, 3],
    ]


def test_gold_6226(nb201: MeasuredNetworks) -> None:
    reached = means(nb201, "lat_ms_gold_6226")
    assert reached["kendall"] > 0.92
    assert reached["within 10 %"] > 0.93
    assert 0.85 < reached["inside"] < 0.95


def test_raspberry_pi_4_has_outliers(nb201: MeasuredNetworks) -> None:
    assert means(nb201, "lat_ms_raspi4")["within 10 %"] > 0.6


def test_the_stack_is_ahead_of_its_parts_on_fbnet(fitnas_data: Path) -> None:
    networks = fbnet(fitnas_data)
    measured = networks.columns["lat_ms_pixel3"].to_numpy()
    known, asked = networks.split(100, 3000, seed=0)
    errors = {}
    for name in ("stack", "additive", "boosted_trees", "ridge"):
        model = latency_predictor(name).fit(networks.features[known], measured[known], networks.details[known])
        errors[name] = mape(measured[asked], model.predict(networks.features[asked], networks.details[asked]).mean)
    assert min(errors, key=errors.__getitem__) == "stack"
    assert errors["stack"] < 0.045


def test_accuracy_by_a_forest_with_cheap_scalars(fitnas_data: Path) -> None:
    networks = nas_bench_201(fitnas_data, connected=False)
    *_, features = nas_bench_201_accuracy(networks).values()
    top1, taus = networks.columns["c100_eval_acc_200ep"].to_numpy() / 100, []
    for seed in SEEDS:
        known, asked = networks.split(100, 3000, seed)
        found = accuracy_predictor("random_forest").fit(features[known], top1[known]).predict(features[asked])
        taus.append(kendall(top1[asked], found.mean))
    assert np.mean(taus) > 0.67
