"""What can be set in the space, and how the data choose what is not."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from search_spaces.core.aspect import aspect_of
from search_spaces.core.input_facts import InputFacts, refuse_what_data_decide
from search_spaces.core.lists import numbers, rising
from search_spaces.tinynet.bases import BASES, Base
from search_spaces.tinynet.layout import scaled_channels, scaled_repeats

# Base networks and published points are for this side; the space reaches a little beyond it.
BASE_PIXELS = 224
PUBLISHED_INPUT = InputFacts(channels=3, height=256, width=256, classes=1000, pictures=1_281_167)
SMALLEST_PIXELS, LARGEST_PIXELS = 16, 320
_MULTIPLIERS = tuple(m / 100 for m in range(1, 161))
_SMALLEST_WIDTH = 0.1


class TinynetSettings(BaseModel):
    """Resolved settings: an architecture carries them, so that it can be rebuilt without its data.

    `resolutions`: pixels of the short side, rising. `aspect`: height to width. `rule`: how `propose` shrinks the base.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Literal[
        "efficientnet_b0",
        "mobilenetv2_100",
        "mnasnet_100",
        "mobilenetv3_large_100",
        "mobilenetv3_small_100",
        "ghostnet_100",
    ] = "efficientnet_b0"
    rule: Literal["tiny", "giant"] = "tiny"
    resolutions: Annotated[
        tuple[Annotated[int, Field(ge=SMALLEST_PIXELS, le=1024)], ...],
        Field(min_length=1),
        BeforeValidator(numbers),
        AfterValidator(rising),
    ]
    channels: int = Field(ge=1, le=16)
    aspect: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)
    classes: int = Field(ge=2)


def resolve(options: dict[str, Any], facts: InputFacts) -> dict[str, Any]:
    """All settings: those the user gave, the rest from the data."""
    refuse_what_data_decide(options, "channels", "classes", "aspect")
    found = {"resolutions": default_resolutions(min(facts.height, facts.width)), **options}
    aspect = aspect_of(facts.height, facts.width)
    return {**found, "channels": facts.channels, "aspect": aspect, "classes": facts.classes}


def default_resolutions(short_side: int) -> tuple[int, ...]:
    """Every even number of pixels up to the data's short side: a larger picture holds no more; at least up to 32.

    >>> default_resolutions(8)[-1], default_resolutions(96)[-1], default_resolutions(4000)[-1]
    (32, 96, 320)
    """
    return tuple(range(SMALLEST_PIXELS, min(max(short_side, 32), LARGEST_PIXELS) + 1, 2))


def depths_of(base: Base) -> tuple[float, ...]:
    """Depth multipliers of different networks, up to 1.6: the middle one of each, in hundredths."""
    return _distinct(_MULTIPLIERS, lambda depth: scaled_repeats(base, depth))


def widths_of(base: Base) -> tuple[float, ...]:
    """Width multipliers of different networks, 0.1 to 1.6: the middle one of each, in hundredths."""
    wide = [multiplier for multiplier in _MULTIPLIERS if multiplier >= _SMALLEST_WIDTH]
    return _distinct(wide, lambda width: scaled_channels(base, width))


def _distinct(multipliers: Sequence[float], network: Callable[[float], tuple[int, ...]]) -> tuple[float, ...]:
    alike: dict[tuple[int, ...], list[float]] = {}
    for multiplier in multipliers:
        alike.setdefault(network(multiplier), []).append(multiplier)
    return tuple(found[len(found) // 2] for found in alike.values())


def base_of(settings: TinynetSettings) -> Base:
    """The base network that is scaled."""
    return BASES[settings.base]
