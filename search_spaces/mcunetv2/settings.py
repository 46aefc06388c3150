"""What can be set in the space, and how the data choose what is not."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts

PUBLISHED_RESOLUTIONS = (96, 128, 160, 192, 224, 256)
PUBLISHED_INPUT = InputFacts(channels=3, height=256, width=256, classes=1000, pictures=1_281_167)
SMALL_PICTURE_RESOLUTIONS = (16, 24, 32)
_FEWEST_RESOLUTIONS = 3
_NATIVE_SHARES = ((1, 2), (2, 3), (5, 6), (1, 1))
_LARGEST_MICRO_PIXELS = 40
_LARGEST_SMALL_PIXELS = 127


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
    "small": Backbone(16, 16, (16, 24, 32, 48, 64), (2, 1, 2, 1, 2), 96, fused_stages=2),
    "micro": Backbone(16, 16, (16, 24, 32), (1, 2, 2), 48, fused_stages=1),
}


def _numbers(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Mcunetv2Settings(BaseModel):
    """Resolved settings: an architecture carries them, so that it can be rebuilt without its data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: Literal["full", "small", "micro"]
    width: Literal["per_stage", "per_block"] = "per_stage"
    resolutions: Annotated[tuple[Annotated[int, Field(ge=8, le=1024)], ...], BeforeValidator(_numbers)]
    channels: int = Field(ge=1, le=16)
    aspect: Annotated[tuple[int, int], BeforeValidator(_numbers)] = (1, 1)
    classes: int = Field(ge=2)


def default_resolutions(short_side: int) -> tuple[int, ...]:
    """The published list cut to the data's short side in pixels.

    Where fewer than three remain: 1/2, 2/3, 5/6 and 1 of the native size in steps of 8; for pictures too small for
    three of those, 16, 24 and 32.
    """
    published = tuple(r for r in PUBLISHED_RESOLUTIONS if r <= short_side)
    if len(published) >= _FEWEST_RESOLUTIONS:
        return published
    shares = sorted({round(short_side * a / b / 8) * 8 for a, b in _NATIVE_SHARES})
    native = tuple(r for r in shares if 16 <= r <= max(short_side, 16))
    return native if len(native) >= _FEWEST_RESOLUTIONS else SMALL_PICTURE_RESOLUTIONS


def default_backbone(resolutions: tuple[int, ...]) -> str:
    """`micro` where the largest resolution is at most 40 pixels, `small` below 128, else `full`."""
    largest = max(resolutions)
    if largest <= _LARGEST_MICRO_PIXELS:
        return "micro"
    return "small" if largest <= _LARGEST_SMALL_PIXELS else "full"


def resolve(options: dict[str, Any], facts: InputFacts) -> dict[str, Any]:
    """All settings: those the user gave, the rest from the data."""
    for key in ("channels", "classes", "aspect"):
        if key in options:
            raise WrongUse(f"'{key}' comes from the data and cannot be set")
    resolutions = _numbers(options.get("resolutions", ())) or default_resolutions(min(facts.height, facts.width))
    try:
        resolutions = tuple(sorted({int(r) for r in resolutions}))
    except ValueError:
        raise WrongUse(f"resolutions: expected pixels such as 48,64,96, got '{options['resolutions']}'") from None
    return {
        "backbone": default_backbone(resolutions),
        **options,
        "resolutions": resolutions,
        "channels": facts.channels,
        "aspect": _reduced(facts.height, facts.width),
        "classes": facts.classes,
    }


def _reduced(height: int, width: int) -> tuple[int, int]:
    # within 5 % of square is square: a few odd pixels must not make every map rectangular
    return (1, 1) if abs(height - width) * 20 <= max(height, width) else (height, width)


def size_at(resolution: int, aspect: tuple[int, int]) -> tuple[int, int]:
    """(height, width) whose short side is `resolution`; the long side is rounded to a multiple of 8."""
    height, width = aspect
    if height == width:
        return resolution, resolution
    long_side = max(resolution, round(resolution * max(aspect) / min(aspect) / 8) * 8)
    return (resolution, long_side) if height < width else (long_side, resolution)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Rounds to a multiple of `divisor`, never below 90 % of `channels` (MobileNet's rule)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
