"""Resolutions as a choice: those published, cut to what the data hold, asked by the user, or below."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from search_spaces.core.aspect import aspect_of
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts, refuse_what_data_decide
from search_spaces.core.lists import numbers, rising

SMALLEST_RESOLUTION = 8
SMALL_PICTURE_RESOLUTIONS = (16, 24, 32)
_FEWEST_RESOLUTIONS = 3
_LARGEST_MICRO_PIXELS = 40
_LARGEST_SMALL_PIXELS = 127
_NATIVE_SHARES = ((1, 2), (2, 3), (5, 6), (1, 1))

Resolutions = Annotated[
    tuple[Annotated[int, Field(ge=SMALLEST_RESOLUTION, le=1024)], ...],
    Field(min_length=1),
    BeforeValidator(numbers),
    AfterValidator(rising),
]
"""Pixels of the short side, rising: a field of a space's settings."""


def default_resolutions(short_side: int, published: tuple[int, ...]) -> tuple[int, ...]:
    """The published list cut to the data's short side in pixels.

    Where fewer than three remain: 1/2, 2/3, 5/6 and 1 of the native size in steps of 8; for pictures too small for
    three of those, 16, 24 and 32.
    """
    known = tuple(r for r in published if r <= short_side)
    if len(known) >= _FEWEST_RESOLUTIONS:
        return known
    shares = sorted({round(short_side * a / b / 8) * 8 for a, b in _NATIVE_SHARES})
    native = tuple(r for r in shares if 16 <= r <= max(short_side, 16))
    return native if len(native) >= _FEWEST_RESOLUTIONS else SMALL_PICTURE_RESOLUTIONS


def form_for(resolutions: tuple[int, ...], whole: str) -> str:
    """Which form of a network suits the largest resolution: `micro` up to 40 pixels, `small` below 128, else `whole`.

    >>> form_for((16, 40), "full"), form_for((64, 127), "full"), form_for((128,), "full")
    ('micro', 'small', 'full')
    """
    largest = max(resolutions)
    if largest <= _LARGEST_MICRO_PIXELS:
        return "micro"
    return "small" if largest <= _LARGEST_SMALL_PIXELS else whole


def decided_by_data(options: Mapping[str, Any], facts: InputFacts, published: tuple[int, ...]) -> dict[str, Any]:
    """`resolutions` (those asked, else what the data hold of the published ones), `channels`, `aspect` and `classes`.

    `WrongUse` where an option says what the data decide.
    """
    refuse_what_data_decide(options, "channels", "classes", "aspect")
    if "resolutions" in options:
        resolutions = asked_resolutions(options["resolutions"])
    else:
        resolutions = default_resolutions(min(facts.height, facts.width), published)
    return {
        "resolutions": resolutions,
        "channels": facts.channels,
        "aspect": aspect_of(facts.height, facts.width),
        "classes": facts.classes,
    }


def asked_resolutions(asked: Any) -> tuple[int, ...]:
    """What a user set, such as `96,64,96`: rising, each once. `WrongUse` where it is no list of numbers."""
    found = numbers(asked)
    try:
        resolutions = tuple(sorted({int(r) for r in ([found] if isinstance(found, int) else found)}))
    except (TypeError, ValueError):
        resolutions = ()
    if not resolutions:
        raise WrongUse(f"resolutions: expected pixels such as 48,64,96, got '{asked}'")
    return resolutions


def smaller_resolutions(smallest: int) -> tuple[int, ...]:
    """Up to three resolutions below `smallest`: multiples of 16 from 48 on, of 8 below that.

    >>> smaller_resolutions(96), smaller_resolutions(48), smaller_resolutions(16), smaller_resolutions(8)
    ((48, 64, 80), (24, 32, 40), (8,), ())
    """
    known = [r for r in range(SMALLEST_RESOLUTION, smallest, 8) if r < 48 or r % 16 == 0]
    return tuple(known[-3:])
