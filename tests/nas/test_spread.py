"""Which networks stand for a space."""

import numpy as np
import pytest

from nas.spread import operator_features, spread_out
from search_spaces.core.layer_table import Kind, Layer, LayerTable
from search_spaces.core.population import Population
from search_spaces.core.registry import space_class


def conv(name: str, channels: int, kernel: int, kind: Kind = Kind.CONV) -> Layer:
    return Layer(name, kind, -1, -2, channels, channels, 4, 4, 4, 4, kernel=kernel, groups=1)


def test_features_are_of_each_kind_and_kernel() -> None:
    table = LayerTable.stack(
        [[conv("a", 2, 1), conv("b", 2, 1), conv("c", 2, 3)], [conv("a", 2, 1), conv("d", 2, 3, Kind.DEPTHWISE)]]
    )
    expected = [
        [2, 2 * 16 * 4, 2 * 32, 1, 16 * 36, 32, 0, 0, 0],
        [1, 16 * 4, 32, 0, 0, 0, 1, 16 * 18, 32],
    ]
    assert np.expm1(operator_features(table)) == pytest.approx(np.array(expected))


@pytest.fixture(scope="module")
def pool() -> Population:
    space = space_class("tinynet").configured({"resolutions": "32,64,128"}, None)
    return space.population(space.extremes()).concatenate(space.sample(np.random.default_rng(0), 300))


def test_the_first_rows_are_kept_and_the_rest_lie_apart(pool: Population) -> None:
    rows = spread_out(pool, 20, first=2)
    assert rows[:2].tolist() == [0, 1]
    assert len(set(rows.tolist())) == 20

    def nearest(chosen: np.ndarray) -> float:
        points = operator_features(pool.space.decode(pool))
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
