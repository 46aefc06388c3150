"""Untrained networks asked by proxies."""

import math
import pickle

import numpy as np
import pytest
import torch

from nas.evaluation.zero_cost import Untrained, ZeroCostEvaluator, batch_of
from nas.training.data import Labelled, resize, to_float
from nas.training.device import random_numbers
from predictors.zero_cost import zero_cost_proxy
from search_spaces.core.input_facts import InputFacts
from search_spaces.mcunetv2 import Mcunetv2

SPACE = Mcunetv2.configured({"backbone": "micro", "resolutions": "16,24"}, InputFacts(3, 24, 24, 4, 300))
MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3)


def pictures(count: int = 8) -> Labelled:
    images = np.random.default_rng(0).integers(0, 256, (count, 3, 24, 24), dtype=np.uint8)
    return Labelled(images, np.arange(count, dtype=np.int64) % 4)


@pytest.fixture
def untrained() -> Untrained:
    return Untrained(SPACE, pictures(), MEAN, STD, seed=5)


def test_it_is_the_proxys_score_of_fresh_weights_at_the_networks_own_size(untrained: Untrained) -> None:
    small = SPACE.extremes()[0]
    assert SPACE.input_size(small) == (3, 16, 16)
    with random_numbers(5):
        network = SPACE.build(small)
    shown = to_float(resize(torch.tensor(pictures().images), (16, 16)), MEAN, STD)
    expected = zero_cost_proxy("nwot").score(network, shown, torch.tensor(pictures().labels))
    assert ZeroCostEvaluator(untrained, "nwot").evaluate(small) == {"zero_cost": expected}
    said = untrained.ask(small, ["nwot", "snip"])
    assert said["nwot"].score == expected
    assert all(each.seconds > 0 for each in said.values())


def test_it_is_a_pure_function_of_the_architecture(untrained: Untrained) -> None:
    first, last = SPACE.extremes()
    evaluator = ZeroCostEvaluator(untrained, "nwot")
    scores = [evaluator.evaluate(one)["zero_cost"] for one in (first, last, first)]
    assert scores[0] == scores[2] != scores[1]
    for array in untrained.batch:
        array.setflags(write=False)  # as a process has it that shares them
    assert pickle.loads(pickle.dumps(evaluator)).evaluate(first)["zero_cost"] == scores[0]
    other = Untrained(SPACE, pictures(), MEAN, STD, seed=6)
    assert ZeroCostEvaluator(other, "nwot").evaluate(first)["zero_cost"] != scores[0]


def test_pictures_that_are_alike_have_no_score() -> None:
    grey = Labelled(np.full((4, 3, 24, 24), 128, dtype=np.uint8), np.arange(4))
    found = ZeroCostEvaluator(Untrained(SPACE, grey, MEAN, STD), "nwot").evaluate(SPACE.extremes()[0])
    assert math.isnan(found["zero_cost"])


def test_a_batch_is_drawn_by_the_seed_and_never_larger_than_the_data() -> None:
    whole = pictures(20)
    batch = batch_of(whole, 6, seed=1)
    places = [int(np.flatnonzero((whole.images == image).all(axis=(1, 2, 3)))[0]) for image in batch.images]
    assert places == sorted(set(places))
    assert batch.labels.tolist() == whole.labels[places].tolist()
    assert (batch_of(whole, 6, seed=1).images == batch.images).all()
    assert (batch_of(whole, 6, seed=2).images != batch.images).any()
    assert len(batch_of(whole, 32, seed=1).labels) == 20
