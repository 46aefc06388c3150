"""Presets, patches and what the data choose."""

from typing import Any

import pytest

from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace


def made(side: int = 224, **options: str) -> SearchSpace[Any]:
    facts = InputFacts(channels=3, height=side, width=side, classes=10, pictures=1000)
    return space_class("vit").configured(options, facts)


@pytest.mark.parametrize(
    ("side", "preset", "patch", "resolution"),
    [(8, "micro", 4, 16), (32, "micro", 4, 32), (96, "micro", 8, 96), (130, "T", 16, 224), (500, "T", 16, 224)],
)
def test_small_pictures_get_small_networks(side: int, preset: str, patch: int, resolution: int) -> None:
    settings = made(side).settings
    assert (settings.preset, settings.patch, settings.resolution) == (preset, patch, resolution)


def test_patches_tile_pictures_of_any_shape() -> None:
    facts = InputFacts(channels=3, height=480, width=640, classes=10, pictures=1000)
    space = space_class("vit").configured({}, facts)
    assert space.input_size(space.extremes()[0]) == (3, 224, 304)


def test_a_deit_is_the_largest_of_its_preset() -> None:
    space = made(224, preset="deit_small")
    arguments = space.blueprint(space.extremes()[1]).arguments
    published = type(space).members()["deit_small"].blueprint().arguments
    assert arguments["layers"] == published["layers"]
    assert arguments["tokenizer"] == published["tokenizer"]


@pytest.mark.parametrize(
    ("preset", "reach", "pool"),
    [
        ("T", 14, "patches"),
        ("S", 14, "patches"),
        ("B", 14, "patches"),
        ("deit_small", 0, "class"),
        ("micro", 0, "mean"),
    ],
)
def test_autoformers_presets_have_relative_positions(preset: str, reach: int, pool: str) -> None:
    """And classify the mean of the patches, as its code does."""
    space = made(224, preset=preset)
    arguments = space.blueprint(space.extremes()[0]).arguments
    assert (arguments["reach"], arguments["pool"]) == (reach, pool)


def test_heads_that_a_space_does_not_have() -> None:
    """microsoft/Cream lists 8 heads for B beside its sub-network; the space itself has 9 or 10."""
    space = made(224, preset="B")
    largest = space.extremes()[1]
    with pytest.raises(WrongUse, match=r"'8' is not an option of 'layer3.heads': it knows 9, 10; nearest: 9"):
        space.population([Architecture(largest.space, largest.settings, {**largest.options, "layer3.heads": 8})])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"preset": "XL"}, "preset"),
        ({"resolution": "100", "patch": "16"}, "do not tile 100x100; nearest resolutions: 96, 112"),
        ({"patch": "four"}, "patch: expected a number of pixels"),
        ({"channels": "1"}, "comes from the data"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        made(**options)
