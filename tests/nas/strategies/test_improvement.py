import numpy as np
import pytest

from nas.strategies.improvement import best_together, normal_cdf

CORNER = np.ones(2)
FRONT = np.array([[0.2, 0.8], [0.8, 0.2]])
EXACT = np.zeros((4, 2))


def gain(point: np.ndarray) -> float:
    """What a point adds to `FRONT` in the unit box, on a grid."""
    at = (np.arange(400) + 0.5) / 400
    grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    dominated = (FRONT[None] <= grid[:, None]).all(axis=2).any(axis=1)
    return float(((point <= grid).all(axis=1) & ~dominated).mean())


def test_of_exact_figures_the_order_is_that_of_the_hypervolume_gained() -> None:
    points = np.array([[0.75, 0.75], [0.4, 0.5], [0.1, 0.79], [0.9, 0.9]])
    expected = sorted(range(3), key=lambda row: -gain(points[row]))
    assert best_together(points, EXACT, FRONT, CORNER, 1) == [expected[0]]
    alone = [best_together(points[[a, b]], EXACT[:2], FRONT, CORNER, 1)[0] for a, b in ((0, 1), (0, 2), (1, 2))]
    assert alone == [int(gain(points[b]) > gain(points[a])) for a, b in ((0, 1), (0, 2), (1, 2))]


def test_of_two_alike_and_one_elsewhere_the_second_choice_is_elsewhere() -> None:
    points = np.array([[0.4, 0.4], [0.401, 0.401], [0.05, 0.9], [0.95, 0.95]])
    assert best_together(points, EXACT, FRONT, CORNER, 2) == [0, 2]


def test_expected_improvement_of_one_objective_is_the_textbooks() -> None:
    """EI = s (z Phi(z) + phi(z)); a candidate a little worse and much less certain can be worth more."""
    best, mean, std = 1.0, np.array([[0.9], [1.1], [1.0]]), np.array([[0.01], [0.5], [0.1]])
    z = (best - mean) / std
    improvement = (std * (z * normal_cdf(z) + np.exp(-z * z / 2) / np.sqrt(2 * np.pi))).ravel()
    order = [
        best_together(mean[[a, b]], std[[a, b]], np.array([[best]]), np.array([2.0]), 1)[0]
        for a, b in ((0, 1), (1, 2), (0, 2))
    ]
    assert order == [int(improvement[b] > improvement[a]) for a, b in ((0, 1), (1, 2), (0, 2))]


def test_three_objectives_and_an_empty_front() -> None:
    points = np.array([[0.5, 0.5, 0.5], [0.3, 0.3, 0.3], [0.9, 0.9, 0.1]])
    assert best_together(points, np.zeros((3, 3)), np.empty((0, 3)), np.ones(3), 1) == [1]


def test_a_chance_to_break_a_limit_counts() -> None:
    points = np.array([[0.3, 0.3], [0.4, 0.4]])
    assert best_together(points, EXACT[:2], FRONT, CORNER, 1, np.array([0.1, 1.0])) == [1]
    assert best_together(points, EXACT[:2], FRONT, CORNER, 1) == [0]


def test_where_nothing_can_be_gained_the_nearest_to_the_box_come_and_never_more_than_there_are() -> None:
    beyond = np.array([[3.0, 3.0], [1.2, 1.1], [2.0, 0.5]])
    assert best_together(beyond, np.full((3, 2), 0.01), FRONT, CORNER, 5) == [1, 2, 0]


def test_many_candidates_are_narrowed_down_to_the_same_best() -> None:
    rng = np.random.default_rng(0)
    mean = rng.uniform(0.5, 1, (2000, 2))
    mean[777] = 0.3
    assert best_together(mean, np.full(mean.shape, 0.01), FRONT, CORNER, 1) == [777]


@pytest.mark.parametrize(("z", "p"), [(-8.0, 6.2e-16), (-3.0, 0.0013499), (0.0, 0.5), (2.5, 0.9937903), (40.0, 1.0)])
def test_normal_distribution(z: float, p: float) -> None:
    assert normal_cdf(np.array([z]))[0] == pytest.approx(p, abs=2e-7)
