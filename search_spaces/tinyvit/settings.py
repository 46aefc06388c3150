"""What can be set in the space, and how the data choose what is not."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from search_spaces.blocks.tinyvit_layers import STAGES, sides_of
from search_spaces.core.input_facts import InputFacts, refuse_what_data_decide
from search_spaces.core.lists import numbers, rising

PUBLISHED_INPUT = InputFacts(channels=3, height=224, width=224, classes=1000, pictures=1_281_167)
STRIDE = 32  # of the whole network: a resolution in such steps halves without rest
_SMALLEST_PIXELS, _LARGEST_PIXELS = 32, 224
_LARGEST_WINDOW = 14  # the published 7 and 14 at 224 pixels; cost grows with the square
_FEWEST_PIXELS_A_WINDOW = 3

_Counts = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1), BeforeValidator(numbers), AfterValidator(rising)
]


class TinyvitSettings(BaseModel):
    """Resolved settings: the options of each contraction factor, rising, and the picture.

    `dims1` to `dims4` channels and `depths1` to `depths4` blocks of the stages; `expand` the first stage's MBConv
    ratio; `mlp_ratio`, `head_dim` of the attention stages. `resolution`: pixels of the square that pictures are scaled
    to, whatever their shape: square windows tile few other maps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resolution: int = Field(ge=_SMALLEST_PIXELS, le=1024)
    dims1: _Counts = (32, 48, 64, 80, 96)
    dims2: _Counts = (64, 96, 128, 160, 192)
    dims3: _Counts = (96, 128, 160, 224, 256, 320, 384)
    dims4: _Counts = (128, 192, 256, 320, 448, 576)
    depths1: _Counts = (1, 2)
    depths2: _Counts = (1, 2)
    depths3: _Counts = (2, 3, 4, 5, 6)
    depths4: _Counts = (1, 2)
    expand: _Counts = (2, 3, 4)
    mlp_ratio: _Counts = (2, 3, 4)
    head_dim: _Counts = (16, 32)
    channels: int = Field(ge=1, le=16)
    classes: int = Field(ge=2)

    @model_validator(mode="after")
    def _heads_divide(self) -> "TinyvitSettings":
        for dims in (self.dims2, self.dims3, self.dims4):
            for dim in dims:
                for head_dim in self.head_dim:
                    if dim % head_dim:
                        raise ValueError(
                            f"a width is heads x head dimension, but {dim} channels are no multiple of {head_dim}; "
                            f"nearest: {dim // head_dim * head_dim or head_dim}, {(dim // head_dim + 1) * head_dim}"
                        )
        if any(dim % 2 for dim in self.dims1):
            raise ValueError(f"dims1 are even (the first convolution has half of them), got {self.dims1}")
        return self

    @model_validator(mode="after")
    def _windows_tile(self) -> "TinyvitSettings":
        for stage in range(1, STAGES):
            if not windows_of(self.resolution, stage):
                raise ValueError(
                    f"no window of {_FEWEST_PIXELS_A_WINDOW} to {_LARGEST_WINDOW} pixels tiles the map of stage "
                    f"{stage + 1}, which has a side of {sides_of(self.resolution)[stage]} at {self.resolution} pixels; "
                    f"multiples of {STRIDE} up to {_LARGEST_PIXELS} can be tiled"
                )
        return self


def windows_of(pixels: int, stage: int) -> tuple[int, ...]:
    """Sides of windows that tile the map of stage 1, 2 or 3, counted from 0: 3 to 14, or a smaller map as a whole.

    >>> windows_of(224, 1), windows_of(224, 3), windows_of(96, 1), windows_of(32, 3)
    ((4, 7, 14), (7,), (3, 4, 6, 12), (1,))
    """
    side = sides_of(pixels)[stage]
    tiling = range(min(_FEWEST_PIXELS_A_WINDOW, side), min(side, _LARGEST_WINDOW) + 1)
    return tuple(window for window in tiling if side % window == 0)


def resolve(options: dict[str, Any], facts: InputFacts) -> dict[str, Any]:
    """All settings: those the user gave, the rest from the data."""
    refuse_what_data_decide(options, "channels", "classes")
    short_side = min(facts.height, facts.width)
    pixels = min(max(short_side, _SMALLEST_PIXELS), _LARGEST_PIXELS) // STRIDE * STRIDE
    return {"resolution": pixels, **options, "channels": facts.channels, "classes": facts.classes}
