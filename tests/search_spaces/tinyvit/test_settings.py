"""Contraction factors that cannot be."""

from typing import Any

import pytest

from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class
from search_spaces.core.space import SearchSpace
from search_spaces.tinyvit.settings import windows_of


def made(side: int = 224, **options: str) -> SearchSpace[Any]:
    facts = InputFacts(channels=3, height=side, width=side, classes=10, pictures=1000)
    return space_class("tinyvit").configured(options, facts)


@pytest.mark.parametrize(("side", "resolution"), [(8, 32), (96, 96), (100, 96), (230, 224), (1000, 224)])
def test_the_resolution_is_a_multiple_of_32(side: int, resolution: int) -> None:
    assert made(side).settings.resolution == resolution


def test_windows_tile_every_map() -> None:
    """224 pixels: maps of 28, 14 and 7; the published windows 7, 14, 7 are among those offered."""
    assert [windows_of(224, stage) for stage in (1, 2, 3)] == [(4, 7, 14), (7, 14), (7,)]
    assert [windows_of(96, stage) for stage in (1, 2, 3)] == [(3, 4, 6, 12), (3, 6), (3,)]


@pytest.mark.parametrize("member", ["tiny_vit_5m", "tiny_vit_21m"])
def test_the_published_networks_lie_in_the_space(member: str) -> None:
    space = made(224)
    stages = type(space).members()[member].blueprint().arguments["stages"]
    options: dict[str, Any] = {"stage1.expand": 4, "mlp_ratio": 4, "head_dim": 32}
    for number, stage in enumerate(stages, start=1):
        options |= {f"stage{number}.dim": stage["dim"], f"stage{number}.depth": stage["depth"]}
        options |= {f"stage{number}.window": stage["window"]} if number > 1 else {}
    known = space.extremes()[0]
    found = space.population([type(known)(known.space, known.settings, options)])
    assert space.blueprint(found[0]).arguments["stages"] == stages


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"head_dim": "48"}, "64 channels are no multiple of 48; nearest: 48, 96"),
        ({"dims1": "33"}, "dims1 are even"),
        ({"dims3": "160,96"}, "rising"),
        ({"resolution": "272"}, "stage 2, which has a side of 34 at 272 pixels"),
        ({"resolution": "16"}, "32"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        made(**options)
