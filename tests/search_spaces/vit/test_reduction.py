"""Where tokens are reduced: the choice, its networks, and weights that are shared between them."""

from typing import Any

import numpy as np
import pytest
import torch

from nas.core.budget import Budget
from nas.pricing import Pricer
from predictors.hardware.price import price_population
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace

OPTIONS = ("both", "third", "two_thirds", "none")


def made(side: int = 32, **options: str) -> SearchSpace[Any]:
    facts = InputFacts(channels=3, height=side, width=side, classes=10, pictures=1000)
    return space_class("vit").configured({"reduction": "true", **options}, facts)


def member(space: SearchSpace[Any], option: str, **others: Any) -> Architecture:
    largest = space.extremes()[1]
    return Architecture(largest.space, largest.settings, {**largest.options, **others, "reduction": option})


def test_it_is_off_unless_asked_for() -> None:
    facts = InputFacts(channels=3, height=32, width=32, classes=10, pictures=1000)
    for preset in ("micro", "T", "deit_tiny"):
        space = space_class("vit").configured({"preset": preset}, facts)
        assert "reduction" not in [choice.name for choice in space.choices]
    assert made().size == 4 * space_class("vit").configured({}, facts).size


@pytest.mark.parametrize(
    ("depth", "after"), [(3, ([1, 2], [1], [2], [])), (5, ([1, 3], [1], [3], [])), (6, ([2, 4], [2], [4], []))]
)
def test_behind_a_third_and_two_thirds_of_the_layers(depth: int, after: tuple[list[int], ...]) -> None:
    space = made()
    for option, expected in zip(OPTIONS, after, strict=True):
        options = {"depth": depth}
        architecture = space.population([member(space, option, **options)])[0]
        reductions = space.blueprint(architecture).arguments["reductions"]
        assert reductions == [{"after": layers, "out": 128} for layers in expected]


def test_fewer_tokens_cost_less_work_and_more_weights() -> None:
    """A reduction of d channels has 9 d d weights, d biases, 2 d of its norm and a position of each new token."""
    space = made()
    priced = price_population(space.population([member(space, option) for option in OPTIONS]), "analytic")
    assert (np.diff(priced["macs"]) > 0).all()
    tokens, dim = 64, 128
    first, second = ((9 * dim + 3 + tokens // quarter) * dim for quarter in (4, 16))
    none = priced["params"][-1]
    assert (priced["params"] - none).tolist() == [first + second, first, first, 0]


def test_with_a_class_token_there_is_a_linear_layer_for_it() -> None:
    space = made(224, preset="deit_tiny")
    priced = price_population(space.population([member(space, option) for option in ("third", "none")]), "analytic")
    dim = 192
    assert priced["params"][0] - priced["params"][1] == (9 * dim + 3 + 49) * dim + (dim + 1) * dim


def test_one_reduction_serves_wherever_it_stands() -> None:
    space = made()
    supernet: Any = space.supernet()
    networks: dict[str, Any] = {option: supernet.extract(member(space, option, dim=96)) for option in OPTIONS}
    assert [len(networks[option].reductions) for option in OPTIONS] == [2, 1, 1, 0]
    shared = supernet.reductions[0].conv.weight[:96, :96]
    for option in ("both", "third", "two_thirds"):
        assert torch.equal(networks[option].reductions[0].conv.weight, shared)
    assert torch.equal(networks["both"].reductions[1].position, supernet.reductions[1].position[..., :96])


def test_no_network_has_more_of_anything_than_the_reference() -> None:
    """The largest network has every token; that with two reductions beside it has the most weights."""
    space = made()
    pricer = Pricer(space, "analytic", Budget(), "none", False, "products")
    most = pricer.of_largest()
    priced = pricer(space.sample(np.random.default_rng(0), 300).concatenate(space.population(space.extremes())))
    for column in ("macs", "params", "peak_sram_bytes", "weight_bytes", "flash_bytes"):
        assert priced[column].max() <= most[column]
    weights: Any = space.supernet()
    assert most["params"] == sum(parameter.numel() for parameter in weights.parameters())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"resolution": "16", "patch": "8"},
            "at least 3 a side; patches of 8 pixels make 2x2; take a resolution of 24 or more, smaller patches, or "
            "reduction=false",
        ),
        ({"reduction": "sometimes"}, "reduction"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        made(32, **options)


def test_an_option_that_is_none() -> None:
    space = made()
    with pytest.raises(WrongUse, match=r"'thirds' is not an option of 'reduction': .*; nearest: third"):
        space.population([member(space, "thirds")])


def test_maps_of_odd_sides_are_rounded_up() -> None:
    assert (
        made(36, patch="4", resolution="36").explain()[1].startswith("reduction: maps of tokens from 9x9 to 5x5 to 3x3")
    )
