"""What a dry run expects of a search."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nas import timing
from nas.config import RunConfig
from nas.evaluation import host_speed
from nas.progress import Silent
from nas.searching import Prepared, prepare
from search_spaces.core.population import Population
from tests.tiny_run import draw_pictures
from tests.told import Told


@pytest.mark.parametrize(("workers", "at_once"), [(1, 1), (16, 2)])
def test_evaluations_are_expected_of_the_workers_that_a_search_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, at_once: int
) -> None:
    """Each look at the clock is a second after the one before: so three networks together take one."""
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=count().__next__))
    config = RunConfig.checked(
        space="tinynet",
        set={"resolutions": "16,32"},
        data=str(draw_pictures(tmp_path / "pictures")),
        fidelity="epochs=2",
        trials=2,
        workers=workers,
    )
    prepared = prepare(config)
    expected = timing.expected_seconds(prepared, Silent())
    each = 1 / 3 / 128 * sum(prepared.description.counts["train"]) * 2
    assert expected["evaluations"] == pytest.approx(each * 2 / at_once)
    assert expected["measuring"] == 0


def prepared_with_a_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: str) -> tuple[Prepared, list[str]]:
    """Evaluated by nobody; a network's speed, which is made up, takes as long as its look at the clock: a second."""
    asked: list[str] = []

    def speed(space: Any, columns: Any, setup: Any, population: Population) -> dict[str, Any]:
        asked.extend(architecture.id for architecture in population)
        return {"images_per_second": np.full(len(population), 99.0)}

    monkeypatch.setattr(host_speed, "host_speed", speed)
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=count().__next__))
    monkeypatch.setattr(timing, "_evaluating", lambda prepared: {})
    pictures = str(draw_pictures(tmp_path / "pictures"))
    more = {"objectives": "accuracy,throughput", "budget": budget, "data": pictures, "trials": 7}
    return prepare(RunConfig.checked(space="tinynet", set={"resolutions": "16,32"}, **more)), asked


def test_measuring_is_expected_of_as_many_networks_as_are_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, asked = prepared_with_a_gate(tmp_path, monkeypatch, "throughput=9/s,params=4M")
    reporter = Told()
    before = list(asked)
    assert timing.expected_seconds(prepared, reporter) == {"measuring": 7.0, "measuring_each": 1.0}
    assert reporter.bars == [("measuring speed", [(0, 1), (1, 1)])]
    (one,) = asked[len(before) :]
    assert one not in before
    feasibility = prepared.feasibility
    fits = feasibility.columns["fits"]
    macs = {n.id: m for n, m in zip(feasibility.population, feasibility.columns["macs"], strict=True)}
    assert macs[one] == pytest.approx(np.median(feasibility.columns["macs"][fits]), rel=0.05)


def test_nothing_is_left_to_measure_where_all_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, asked = prepared_with_a_gate(tmp_path, monkeypatch, "params=4M")
    assert prepared.parts.gate is not None
    prepared.parts.gate(prepared.feasibility.population)
    measured = len(asked)
    assert timing.expected_seconds(prepared, Silent()) == {"measuring": 0.0, "measuring_each": 0.0}
    assert len(asked) == measured
