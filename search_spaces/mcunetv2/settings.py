"""What can be set in the space, and how the data choose what is not."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from search_spaces.core.input_facts import InputFacts
from search_spaces.core.lists import numbers
from search_spaces.core.resolutions import Resolutions, decided_by_data, form_for

PUBLISHED_RESOLUTIONS = (96, 128, 160, 192, 224, 256)
PUBLISHED_INPUT = InputFacts(channels=3, height=256, width=256, classes=1000, pictures=1_281_167)


@dataclass(frozen=True)
class Backbone:
    """Base channels before the width multiplier, and strides. `full` is ProxylessNAS's, as MCUNet uses it.

    `small` and `micro` keep its form for small pictures: fewer channels and less down-sampling.
    """

    stem: int
    first: int
    stages: tuple[int, ...]
    strides: tuple[int, ...]
    last: int
    fused_stages: int
    """Leading stages whose stride-1 blocks may drop their depthwise convolution (kernel 1)."""


BACKBONES = {
    "full": Backbone(32, 16, (24, 40, 80, 96, 192), (2, 2, 2, 1, 2), 320, fused_stages=2),
    "small": Backbone(16, 16, (16, 24, 32, 48, 64), (2, 2, 1, 2, 1), 96, fused_stages=2),
    "micro": Backbone(16, 16, (16, 24, 32), (1, 2, 2), 48, fused_stages=1),
}


_Side = Annotated[int, Field(ge=1)]


class Mcunetv2Settings(BaseModel):
    """Resolved settings: an architecture carries them, so that it can be rebuilt without its data.

    `resolutions`: pixels of the short side, rising. `aspect`: height to width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: Literal["full", "small", "micro"]
    width: Literal["per_stage", "per_block"] = "per_stage"
    resolutions: Resolutions
    channels: int = Field(ge=1, le=16)
    aspect: Annotated[tuple[_Side, _Side], BeforeValidator(numbers)] = (1, 1)
    classes: int = Field(ge=2)


def default_backbone(resolutions: tuple[int, ...]) -> str:
    """`micro` where the largest resolution is at most 40 pixels, `small` below 128, else `full`."""
    return form_for(resolutions, "full")


def resolve(options: dict[str, Any], facts: InputFacts) -> dict[str, Any]:
    """All settings: those the user gave, the rest from the data."""
    found = decided_by_data(options, facts, PUBLISHED_RESOLUTIONS)
    return {"backbone": default_backbone(found["resolutions"]), **options, **found}
