import numpy as np
import pytest

from nas.core.growing_front import MOST_VOLUMES, GrowingFront
from nas.core.objective import parse_objectives
from nas.core.pareto import ParetoFront, Reference
from nas.core.trial import Trial
from search_spaces.core.architecture import Architecture

OBJECTIVES = parse_objectives("accuracy,macs,sram")
BOX = Reference((1.0, 0.0, 0.0), (0.2, 100.0, 100.0))
NOWHERE = Architecture("toy", {}, {"number": 0})


def draw(count, seed=0, levels=40):
    """Raw values with ties, some beyond the box."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, levels, count) / levels, *rng.integers(1, 120, (2, count))], axis=1)


def recomputed(numbers, values):
    columns = [objective.column for objective in OBJECTIVES]
    trials = [
        Trial(int(number), NOWHERE, "complete", dict(zip(columns, map(float, row), strict=True)))
        for number, row in zip(numbers, values, strict=True)
    ]
    return ParetoFront(trials, OBJECTIVES, BOX)


def grown(numbers, values, *batches):
    front = GrowingFront(OBJECTIVES, BOX)
    for batch in batches:
        front.add(numbers[batch], values[batch])
    return front


def test_every_step_is_the_front_of_all_trials_until_then():
    values, numbers = draw(300), np.arange(300)
    front = grown(numbers, values, slice(None))
    assert front.numbers.tolist() == [trial.number for trial in recomputed(numbers, values)]
    assert len(front.steps()) > 20
    for number, found in front.steps():
        assert found == recomputed(numbers[: number + 1], values[: number + 1]).hypervolume


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_arrival_does_not_matter(seed):
    values, numbers = draw(400, seed), np.arange(400)
    rng = np.random.default_rng(seed)
    arrival = np.argsort(np.arange(400) + rng.uniform(0, 12, 400), kind="stable")
    batches = np.split(arrival, np.sort(rng.integers(0, 400, 60)))
    late, at_once = grown(numbers, values, *batches), grown(numbers, values, slice(None))
    assert late.steps() == at_once.steps()
    assert late.numbers.tolist() == at_once.numbers.tolist()


def test_many_changes_are_thinned_out_alike_however_they_come():
    count = 3 * MOST_VOLUMES
    values = np.stack([0.3 + np.arange(count) / 10_000, np.full(count, 50), np.full(count, 50)], axis=1)
    numbers = np.arange(count)
    at_once = grown(numbers, values, slice(None))
    assert MOST_VOLUMES / 2 <= len(at_once.steps()) <= MOST_VOLUMES + 1
    last_comes_first = grown(numbers, values, [count - 1], slice(0, count - 1))
    assert last_comes_first.steps() == at_once.steps()
    assert at_once.hypervolume == recomputed(numbers, values).hypervolume
    one_by_one = GrowingFront(OBJECTIVES, BOX)
    for number in numbers:
        one_by_one.add(numbers[[number]], values[[number]])
        assert one_by_one.steps()[-1][0] == number
    assert one_by_one.steps() == at_once.steps()


def test_nothing_and_the_same_twice():
    front = GrowingFront(OBJECTIVES, BOX)
    front.add(np.empty(0, dtype=np.int64), np.empty((0, 3)))
    assert (front.hypervolume, front.steps(), front.numbers.tolist()) == (0.0, [], [])
    front.add(np.asarray([3]), draw(1))
    with pytest.raises(ValueError, match="twice"):
        front.add(np.asarray([3]), draw(1))
