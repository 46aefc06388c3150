"""Scores with inherited weights: equal in every process and order, nothing shared is written to."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.evaluation.supernet import SupernetEvaluator
from nas.training.checkpoint import to_arrays
from nas.training.loop import evaluate
from nas.training.recalibrate import even_parts, recalibrate
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError
from search_spaces.core.input_facts import InputFacts
from search_spaces.mcunetv2.space import Mcunetv2
from tests.forked import forked


def evaluate_backwards(evaluator: SupernetEvaluator, architectures: list[Architecture], path: Path) -> None:
    path.write_text(repr([evaluator.evaluate(one) for one in reversed(architectures)]))


@pytest.fixture(scope="module")
def space() -> Mcunetv2:
    return Mcunetv2.configured({"backbone": "micro", "resolutions": "8,16,24"}, InputFacts(3, 24, 24, 5, 300))


@pytest.fixture
def evaluator(space: Mcunetv2) -> SupernetEvaluator:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    weights = to_arrays(space.supernet())
    images = rng.integers(0, 256, (200, 3, 24, 24), dtype=np.uint8)
    labels = rng.integers(0, 5, 130)
    arrays = [*weights.values(), images, labels]
    for array in arrays:
        array.flags.writeable = False
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    return SupernetEvaluator(space, weights, images[:70], images[70:], labels, mean, std)


def test_it_is_extract_recalibrate_and_score(space: Mcunetv2, evaluator: SupernetEvaluator) -> None:
    architecture = space.sample(np.random.default_rng(1), 1)[0]
    supernet = space.supernet()
    supernet.load_state_dict({name: torch.tensor(value) for name, value in evaluator.weights.items()})
    network = supernet.extract(architecture)
    size = space.input_size(architecture)[1:]
    pixels = torch.nn.functional.interpolate(torch.tensor(evaluator.calibration), size, mode="bilinear", antialias=True)
    pixels = (pixels / 255 - 0.5) / 0.25
    recalibrate(network, [pixels[part] for part in even_parts(70, 64)])
    scores = evaluate(network, evaluator.images, evaluator.labels, size, evaluator.mean, evaluator.std)
    assert evaluator.evaluate(architecture) == {"top1": scores.top1, "balanced_top1": scores.balanced_top1}


def test_order_does_not_matter_and_shared_arrays_stay(space: Mcunetv2, evaluator: SupernetEvaluator) -> None:
    before = {name: value.copy() for name, value in evaluator.weights.items()}
    architectures = [*space.sample(np.random.default_rng(2), 5), *space.extremes()]
    state = torch.get_rng_state()
    forward = [evaluator.evaluate(one) for one in architectures]
    backward = [evaluator.evaluate(one) for one in reversed(architectures)]
    assert forward == backward[::-1]
    assert len({result["top1"] for result in forward}) > 1
    assert all(np.array_equal(evaluator.weights[name], value) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), state)


def test_another_process_finds_the_same_figures(space: Mcunetv2, evaluator: SupernetEvaluator, tmp_path: Path) -> None:
    architectures = list(space.sample(np.random.default_rng(3), 4))
    expected = [evaluator.evaluate(one) for one in architectures]
    forked(evaluate_backwards, evaluator, architectures, tmp_path / "found").join()
    assert (tmp_path / "found").read_text() == repr(expected[::-1])


def test_threads_of_the_process_are_left_alone(space: Mcunetv2, evaluator: SupernetEvaluator) -> None:
    torch.set_num_threads(2)
    evaluator.evaluate(space.extremes()[0])
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_a_pickle_holds_arrays_alone(space: Mcunetv2, evaluator: SupernetEvaluator) -> None:
    fresh = len(pickle.dumps(evaluator))
    evaluator.evaluate(space.extremes()[0])
    assert len(pickle.dumps(evaluator)) == fresh
    buffers: list[pickle.PickleBuffer] = []
    pickle.dumps(evaluator, protocol=5, buffer_callback=buffers.append)
    assert len(buffers) >= len(evaluator.weights) + 3  # shared without a copy


def test_foreign_weights_and_empty_validation_are_refused(space: Mcunetv2, evaluator: SupernetEvaluator) -> None:
    smallest = space.extremes()[0]
    evaluator.weights = {"stem": np.zeros(3, np.float32)}
    with pytest.raises(FitnasError, match="another network"):
        pickle.loads(pickle.dumps(evaluator)).evaluate(smallest)


def test_no_validation_pictures(space: Mcunetv2, evaluator: SupernetEvaluator) -> None:
    evaluator.images, evaluator.labels = evaluator.images[:0], evaluator.labels[:0]
    with pytest.raises(FitnasError, match="no pictures to score"):
        evaluator.evaluate(space.extremes()[0])
