"""A space whose architectures say how they are trained."""

import json
import pickle

import numpy as np
import pytest

import nas
from search_spaces.combinators.recipe import recipe_of
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

FACTS = InputFacts(channels=1, height=8, width=8, classes=10, pictures=1797)


@pytest.fixture
def space() -> SearchSpace[object]:
    return space_class("mcunetv2+recipe").configured({"recipe_epochs": "2,4"}, FACTS)


def test_costs_are_those_of_the_network_alone(space: SearchSpace[object]) -> None:
    population = space.sample(np.random.default_rng(0), 50)
    inner = space_class("mcunetv2").configured({}, FACTS)
    same = inner.population([space.inner_architecture(one) for one in population])  # type: ignore[attr-defined]
    assert nas.price(space, population).equals(nas.price(inner, same))


def test_a_learning_rate_belongs_to_its_optimizer(space: SearchSpace[object]) -> None:
    for architecture in space.sample(np.random.default_rng(1), 40):
        own, other = ("adamw", "sgd")[:: 1 if architecture.options["recipe.optimizer"] == "adamw" else -1]
        assert f"recipe.{own}_learning_rate" in architecture.options
        assert f"recipe.{other}_learning_rate" not in architecture.options
        recipe = recipe_of(architecture)
        assert recipe["learning_rate"] == architecture.options[f"recipe.{own}_learning_rate"]
        assert recipe["epochs"] in (2, 4)


def test_the_size_counts_networks_times_recipes(space: SearchSpace[object]) -> None:
    inner = space_class("mcunetv2").configured({}, FACTS)
    assert space.size == inner.size * (4 + 4) * 4 * 2 * 2 * 2


def test_epochs_may_be_left_to_somebody_else() -> None:
    space = space_class("mcunetv2+recipe").configured({"recipe_epochs": ""}, FACTS)
    assert "epochs" not in recipe_of(space.sample(np.random.default_rng(0), 1)[0])


def test_the_json_alone_rebuilds_the_network(space: SearchSpace[object]) -> None:
    architecture = space.sample(np.random.default_rng(2), 1)[0]
    again = Architecture.from_json(json.dumps(json.loads(architecture.to_json())))
    twin = space_class(again.space).restored(again.settings)
    assert twin.blueprint(again) == space.blueprint(architecture)
    assert pickle.loads(pickle.dumps(space)).blueprint(architecture) == space.blueprint(architecture)


def test_a_network_without_recipe_has_none() -> None:
    inner = space_class("mcunetv2").configured({}, FACTS)
    assert recipe_of(inner.extremes()[0]) == {}


@pytest.mark.parametrize("epochs", ["0", "4,2", "a"])
def test_impossible_epochs(epochs: str) -> None:
    with pytest.raises(WrongUse, match="recipe_epochs"):
        space_class("mcunetv2+recipe").configured({"recipe_epochs": epochs}, FACTS)


def test_unknown_combinators_get_a_hint() -> None:
    with pytest.raises(WrongUse, match="did you mean 'recipe'"):
        space_class("mcunetv2+recipes")
