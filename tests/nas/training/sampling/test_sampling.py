"""What each way trains in a step: known passes, in the order of their draws; what is unlocked when."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from nas.training.sampling import sampling_class, sampling_names
from nas.training.sampling.multi import UNLOCKED_AFTER, Multi
from nas.training.sampling.sandwich import Sandwich
from nas.training.sampling.uniform import Uniform
from search_spaces.core.errors import WrongUse
from search_spaces.core.population import Population
from search_spaces.mcunetv2.space import Mcunetv2


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def make(kind: type[Any], space: Mcunetv2, **more: Any) -> Any:
    smallest, largest = space.extremes()
    return kind(space, more.pop("candidates", space.sample), (largest, smallest), **more)


def rows(space: Mcunetv2, way: Multi, done: float, steps: int = 60) -> Population:
    """Every member of so many steps."""
    generator = rng()
    return space.population(m for _ in range(steps) for one in way.passes(generator, done) for m in one.members)


def test_every_file_is_found_by_its_name() -> None:
    assert {"sandwich", "uniform", "multi"} <= set(sampling_names())
    assert sampling_class("multi") is Multi
    with pytest.raises(WrongUse, match="did you mean 'uniform'"):
        sampling_class("unifrom")


def test_a_sandwich_is_the_largest_then_those_that_learn_from_it(space: Mcunetv2) -> None:
    way, generator = make(Sandwich, space), rng()
    smallest, largest = space.extremes()
    with_smallest = 0
    for _ in range(200):
        first, *others = way.passes(generator, 0.5)
        assert (first.members, first.from_first) == ((largest,), False)
        assert all(other.from_first and len(other.members) == 1 for other in others)
        assert len(others) in (3, 4)
        with_smallest += len(others) == 4 and others[0].members == (smallest,)
    assert 30 < with_smallest < 75  # a quarter


def test_uniform_is_one_candidate_with_labels(space: Mcunetv2) -> None:
    way = make(Uniform, space)
    expected = list(space.sample(rng(), 1))
    (only,) = way.passes(rng(), 0.0)
    assert (list(only.members), only.from_first) == (expected, False)


def test_uniform_refuses_more_than_one(space: Mcunetv2) -> None:
    with pytest.raises(WrongUse, match=r"--subnets 4 asks for more.*multi or sandwich"):
        make(Uniform, space, subnets=4)


def test_multi_is_one_pass_of_networks_for_one_picture_size(space: Mcunetv2) -> None:
    way, generator, sizes = make(Multi, space), rng(), Counter[int]()
    for _ in range(200):
        (only,) = way.passes(generator, 0.5)
        assert not only.from_first
        assert len(only.members) == 2
        (size,) = {space.input_size(member) for member in only.members}
        sizes[size[1]] += 1
    assert sizes[8] + sizes[16] == 200
    assert 70 < sizes[8] < 130  # as often as it is drawn


def test_multi_takes_fewer_where_its_picture_size_is_rare(space: Mcunetv2) -> None:
    small, large = space.extremes()
    drawn = iter([small] + [large] * 1000)
    way = make(Multi, space, candidates=lambda _, n: [next(drawn) for _ in range(n)])
    (only,) = way.passes(rng(), 0.5)
    assert only.members == (small,)


def test_multi_begins_with_the_largest_and_unlocks_the_rest_in_an_eighth(space: Mcunetv2) -> None:
    way, largest = make(Multi, space), space.extremes()[1]
    assert set(rows(space, way, 0.0)) == {largest}

    depth = next(i for i, choice in enumerate(space.choices) if choice.name.endswith(".depth"))
    seen = [set(rows(space, way, share * UNLOCKED_AFTER).matrix[:, depth].tolist()) for share in (0.3, 0.4, 0.7, 1.0)]
    assert seen == [{2}, {1, 2}, {0, 1, 2}, {0, 1, 2}]  # three options: one more with every third
    assert set(rows(space, way, 0.9).matrix[:, 0].tolist()) == {0, 1}


def test_what_multi_draws_is_canonical(space: Mcunetv2) -> None:
    drawn = rows(space, make(Multi, space), 0.6 * UNLOCKED_AFTER)
    assert np.array_equal(drawn.matrix, space.canonical(drawn.matrix))


def test_an_identity_tells_ways_and_numbers_apart(space: Mcunetv2) -> None:
    told = [make(sampling_class(name), space).identity() for name in sampling_names()]
    told += [make(Multi, space, subnets=4).identity()]
    assert len({repr(one) for one in told}) == len(told)
    # whatever changes its weights is named
    assert make(Sandwich, space).identity() == {"sampling": "sandwich", "random_subnets": 3, "from_largest": 0.5}
