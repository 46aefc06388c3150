"""What can be set in the space, and how the data choose what is not."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from search_spaces.core.input_facts import InputFacts
from search_spaces.core.resolutions import Resolutions, decided_by_data, form_for

PUBLISHED_RESOLUTIONS = (128, 160, 192, 224)  # the paper's range; the code of its residual networks leaves them open
PUBLISHED_INPUT = InputFacts(channels=3, height=224, width=224, classes=1000, pictures=1_281_167)


@dataclass(frozen=True)
class Base:
    """Channels before the width multiplier, fewest blocks and stride of each stage.

    `pool`: a 3x3 maximum of stride 2 stands behind the stem, whose own stride is 2. `resnet50` is OFA-ResNet50's;
    `small` and `micro` keep its form for small pictures: fewer stages and channels, less down-sampling.
    """

    stem: int
    stages: tuple[int, ...]
    depths: tuple[int, ...]
    strides: tuple[int, ...]
    pool: bool


BASES = {
    "resnet50": Base(64, (256, 512, 1024, 2048), (2, 2, 4, 2), (1, 2, 2, 2), pool=True),
    "small": Base(32, (128, 256, 512), (1, 2, 1), (1, 2, 2), pool=True),
    "micro": Base(32, (64, 128, 256), (1, 1, 1), (1, 2, 2), pool=False),
}


class ResnetSettings(BaseModel):
    """Resolved settings: an architecture carries them, so that it can be rebuilt without its data.

    `resolutions`: pixels of the short side, rising. `aspect`: height to width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Literal["resnet50", "small", "micro"]
    resolutions: Resolutions
    channels: int = Field(ge=1, le=16)
    aspect: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)
    classes: int = Field(ge=2)


def default_base(resolutions: tuple[int, ...]) -> str:
    """`micro` where the largest resolution is at most 40 pixels, `small` below 128, else `resnet50`."""
    return form_for(resolutions, "resnet50")


def resolve(options: dict[str, Any], facts: InputFacts) -> dict[str, Any]:
    """All settings: those the user gave, the rest from the data."""
    found = decided_by_data(options, facts, PUBLISHED_RESOLUTIONS)
    return {"base": default_base(found["resolutions"]), **options, **found}
