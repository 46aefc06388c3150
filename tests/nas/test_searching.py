"""What a search does before its first trial."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nas import searching
from nas.assembly import Parts, assemble_for, make_space
from nas.config import RunConfig
from nas.core.pareto import ParetoFront
from nas.core.speed_setup import SpeedSetup
from nas.feasibility import survey
from nas.gate import Gate
from nas.searching import reference, workers_of
from search_spaces.core.population import Population
from tests.told import Told


def parts_of(column: str, fastest: float, slowest: float, **values: Any) -> Parts:
    """Of a small space whose smallest network and whose others have a made-up figure."""
    space = make_space("tinynet", {"resolutions": "32,48"})
    smallest = space.extremes()[0]

    def ask(population: Population) -> dict[str, NDArray[Any]]:
        return {column: np.array([fastest if network == smallest else slowest for network in population])}

    parts = assemble_for(space, RunConfig.checked(space="tinynet", **values))
    return replace(parts, gate=Gate(space, ask, {column: "measured: nowhere"}, repeatable=False))


@pytest.mark.parametrize(
    ("fastest", "slowest", "limit", "box"),
    [
        (99.0, 10.0, "", (99.0, 10.0)),
        (99.0, 10.0, "throughput=50/s", (99.0, 50.0)),
        (99.0, 10.0, "throughput=100/s", (100.0, 100.0)),
        (99.0, 101.0, "throughput=100/s", (100.0, 100.0)),
        (99.0, 101.0, "", (101.0, 99.0)),
        (99.0, 99.0, "", (99.0, 99.0)),
    ],
)
def test_the_box_of_a_measured_objective_is_never_inverted(
    fastest: float, slowest: float, limit: str, box: tuple[float, float]
) -> None:
    more = {"objectives": "accuracy,throughput", "budget": limit}
    parts = parts_of("images_per_second", fastest, slowest, **more)
    found = reference(parts, survey(parts.pricer, 0))
    assert (found.ideal[1], found.worst[1]) == box
    assert ParetoFront([], parts.objectives, found).hypervolume == 0


def test_the_box_of_a_latency_is_never_inverted() -> None:
    parts = parts_of("latency_ms", 11.0, 40.0, objectives="accuracy,latency", budget="latency=10ms")
    found = reference(parts, survey(parts.pricer, 0))
    assert (found.ideal[1], found.worst[1]) == (10.0, 10.0)
    assert ParetoFront([], parts.objectives, found).hypervolume == 0


@pytest.mark.parametrize(("limits", "measured"), [("macs=2M", 2), ("macs=2M,throughput=50/s", 1), ("", 2)])
def test_the_ends_of_the_box_are_within_the_exact_limits_and_none_is_measured_in_vain(
    limits: str, measured: int
) -> None:
    parts = parts_of("images_per_second", 99.0, 10.0, objectives="accuracy,throughput", budget=limits)
    assert parts.gate is not None
    asked = []

    def ask(population: Population) -> Any:
        asked.extend(parts.pricer(population)["macs"].tolist())
        return {"images_per_second": np.linspace(99.0, 60.0, len(population))}

    reporter = Told()
    found = reference(replace(parts, gate=replace(parts.gate, ask=ask)), survey(parts.pricer, 0), reporter)
    assert len(asked) == measured
    assert [(what, moves[-1]) for what, moves in reporter.bars] == [("measuring speed", (measured, measured))]
    assert max(asked) <= parts.budget.limits.get("macs", np.inf)
    assert found.worst[1] == (50.0 if "throughput" in limits else 60.0)


@pytest.mark.parametrize(
    ("values", "workers"),
    [
        ({}, 8),
        ({"budget": "latency=1s"}, 8 - SpeedSetup().threads),
        ({"budget": "latency=1s", "measure": "batch=8"}, 8 - SpeedSetup().threads),
        ({"budget": "latency=1s", "measure": "threads=3"}, 5),
        ({"budget": "latency=1s", "measure": "threads=16"}, 1),
        ({"budget": "latency=1s", "workers": 8}, 8),
        ({"trials": 3}, 3),
    ],
)
def test_who_measures_has_processors_of_its_own(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], workers: int
) -> None:
    monkeypatch.setattr(searching, "usable_cores", lambda: 8)
    config = RunConfig.checked(space="tinynet", **values)
    assert config.speed_setup == SpeedSetup.parse(config.measure or f"threads={SpeedSetup().threads}")
    assert workers_of(assemble_for(make_space("tinynet", {"resolutions": "32,48"}), config), config) == workers
