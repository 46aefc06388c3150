"""Networks trained alone: pure, in stages, with the recipe that they carry."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.core.fidelity import Fidelity
from nas.evaluation.train import TrainEvaluator
from nas.training.data import Pictures, describe, load
from nas.training.loop import evaluate
from nas.training.recipes import fit_of
from search_spaces.combinators.recipe import recipe_of
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class

FACTS = InputFacts(channels=1, height=8, width=8, classes=10, pictures=1797)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    whole = load(describe("digits"), (16, 16), 0)
    few = type(whole.train)(whole.train.images[:300], whole.train.labels[:300])
    return replace(whole, train=few)


@pytest.fixture(scope="module")
def space():
    return space_class("mcunetv2").configured({"resolutions": "8,16"}, FACTS)


def test_stages_are_rungs_of_one_training(space, pictures: Pictures) -> None:
    smallest = space.extremes()[0]
    stages = list(TrainEvaluator(space, pictures, Fidelity((1, 2, 4))).stages(smallest))
    assert [stage.metrics["epochs"] for stage in stages] == [1, 2, 4]
    assert [stage.last for stage in stages] == [False, False, True]
    last = stages[-1].metrics
    assert [last[f"top1_after_{rung}"] for rung in (1, 2, 4)] == [stage.metrics["top1"] for stage in stages]
    # pausing to look does not change what is trained
    alone = TrainEvaluator(space, pictures, Fidelity((4,))).evaluate(smallest)
    assert alone == {name: last[name] for name in ("top1", "balanced_top1", "epochs")}
    assert last["top1"] > 0.2  # of ten classes


def test_another_process_and_another_order_give_the_same(space, pictures: Pictures) -> None:
    evaluator = TrainEvaluator(space, pictures, Fidelity((1,)))
    small, large = space.extremes()
    first = [evaluator.evaluate(small), evaluator.evaluate(large)]
    copy = pickle.loads(pickle.dumps(evaluator))
    assert [copy.evaluate(large), copy.evaluate(small)] == first[::-1]


def test_test_pictures_are_left_behind(space) -> None:
    whole = load(describe("digits"), (8, 8), 0, include_test=True)
    assert whole.test is not None
    assert TrainEvaluator(space, whole, Fidelity((1,))).pictures.test is None


def test_weights_are_kept_where_the_folder_exists(space, pictures: Pictures, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    smallest = space.extremes()[0]
    found = TrainEvaluator(space, pictures, Fidelity((1, 2)), keep=tmp_path).evaluate(smallest)
    network = space.build(smallest)
    network.load_state_dict(load_file(tmp_path / f"{smallest.id}.safetensors"))
    size = space.input_size(smallest)[1:]
    scores = evaluate(network, *pictures.validation, size, pictures.mean, pictures.std)
    assert scores.top1 == found["top1"]
    TrainEvaluator(space, pictures, Fidelity((1,)), keep=tmp_path / "elsewhere").evaluate(smallest)
    assert not (tmp_path / "elsewhere").exists()


def test_the_recipe_of_an_architecture_is_used(pictures: Pictures) -> None:
    space = space_class("mcunetv2+recipe").configured({"resolutions": "8,16", "recipe_epochs": "1,2"}, FACTS)
    population = space.sample(np.random.default_rng(0), 20)
    sgd = next(one for one in population if one.options["recipe.optimizer"] == "sgd")
    assert TrainEvaluator(space, pictures, None).evaluate(sgd)["epochs"] == sgd.options["recipe.epochs"]
    how = fit_of(recipe_of(sgd), epochs=7, vary=None)
    assert (how.epochs, how.optimizer, how.weight_decay) == (7, "sgd", sgd.options["recipe.weight_decay"])
    assert how.learning_rate == sgd.options["recipe.sgd_learning_rate"]
    assert fit_of(recipe_of(sgd), epochs=7, vary=None, learning_rate=0.5).learning_rate == 0.5
