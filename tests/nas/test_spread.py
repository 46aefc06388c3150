"""Which networks stand for a space."""

import numpy as np
import pytest

from nas.spread import spread_out
from predictors.hardware.latency.operator_classes import operator_classes
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class


@pytest.fixture(scope="module")
def pool() -> Population:
    space = space_class("tinynet").configured({"resolutions": "32,64,128"}, None)
    return space.population(space.extremes()).concatenate(space.sample(np.random.default_rng(0), 300))


def test_the_first_rows_are_kept_and_the_rest_lie_apart(pool: Population) -> None:
    rows = spread_out(pool, 20, first=2)
    assert rows[:2].tolist() == [0, 1]
    assert len(set(rows.tolist())) == 20

    def nearest(chosen: np.ndarray) -> float:
        points = np.log1p(operator_classes(pool.space.decode(pool)).values)
        points = points[:, np.ptp(points, axis=0) > 0]
        points = (points - points.mean(axis=0)) / points.std(axis=0).clip(1e-9)
        apart = np.linalg.norm(points[chosen, None] - points[None, chosen], axis=2)
        return float((apart + np.eye(len(chosen)) * 1e9).min())

    random = np.random.default_rng(1).permutation(np.arange(2, 302))[:20]
    assert nearest(rows) > 2 * nearest(random)


def test_fewer_are_the_first_of_more(pool: Population) -> None:
    assert spread_out(pool, 7, first=2).tolist() == spread_out(pool, 15, first=2)[:7].tolist()
    assert len(spread_out(pool, 3)) == 3


def test_each_network_is_taken_once(pool: Population) -> None:
    twice = pool[:5].concatenate(pool[:5])
    assert sorted(spread_out(twice, 50, first=2).tolist()) == [0, 1, 2, 3, 4]
    assert spread_out(pool[:0], 5).tolist() == []
    assert spread_out(pool, 0, first=2).tolist() == []
    same = pool[:1].concatenate(pool[:1])
    assert spread_out(same, 2).tolist() == [0]
