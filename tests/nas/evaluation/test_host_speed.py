"""How repeats are taken and counted, by a clock that the test winds; and one real measurement."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nas.core.speed_setup import SpeedSetup
from nas.evaluation.host_speed import MOST_REPEATS, host_speed, median_seconds
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace


class Clock:
    """Time passes when something runs, and only then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, *seconds: float) -> Callable[[], None]:
        """A call that takes the next of these seconds, the last one from then on."""
        left = list(seconds)

        def run() -> None:
            self.now += left.pop(0) if len(left) > 1 else left[0]
            self.log.append(name)

        return run


def test_the_median_of_repeats_after_a_warm_up() -> None:
    clock = Clock()
    run = clock.work("a", 9.0, 0.5, 0.25, 7.0, 0.5, 0.25)
    # 9 s are the warm-up; it ran so long that three repeats are enough
    assert median_seconds([run], clock) == [0.5]
    assert len(clock.log) == 4


def test_repeats_are_taken_in_turns() -> None:
    clock = Clock()
    assert median_seconds([clock.work("a", 0.25), clock.work("b", 0.5)], clock) == [0.25, 0.5]
    assert "".join(clock.log) == "ab" + "ababab" + "a"


def test_a_fast_network_is_not_repeated_for_ever() -> None:
    clock = Clock()
    (seconds,) = median_seconds([clock.work("a", 1e-3)], clock)
    assert seconds == pytest.approx(1e-3)
    assert len(clock.log) <= 101 + MOST_REPEATS
    assert median_seconds([], clock) == []


def space() -> SearchSpace[Any]:
    return space_class("tinynet").configured({"resolutions": "32"}, None)


def test_batch_and_threads_are_told_with_the_figures() -> None:
    clock = Clock()

    def tick() -> float:
        clock.now += 0.5
        return clock.now

    both = ("images_per_second", "latency_ms")
    population = space().population(space().extremes()[:1])
    found = host_speed(space(), both, SpeedSetup(batch=4, threads=1), population, tick)
    assert {column: values.tolist() for column, values in found.items()} == {
        "images_per_second": [8.0],
        "latency_ms": [500.0],
        "images_per_second_batch": [4.0],
        "latency_ms_batch": [1.0],
        "images_per_second_threads": [1.0],
        "latency_ms_threads": [1.0],
    }


def test_a_real_measurement_is_positive_and_leaves_torch_as_it_was() -> None:
    torch.manual_seed(5)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    population = space().sample(np.random.default_rng(0), 10)
    small = population[np.argsort(population.matrix.sum(axis=1))]
    found = host_speed(space(), ("images_per_second",), SpeedSetup(batch=2), small[:2].concatenate(small[:1]))
    assert np.isfinite(found["images_per_second"]).all()
    assert (found["images_per_second"] > 0).all()
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
