"""Presets of the space, what can be set, and how the data choose the rest."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from search_spaces.core.aspect import aspect_of, size_at
from search_spaces.core.choice import Choice
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts, refuse_what_data_decide
from search_spaces.vit.reduction import check_map

PUBLISHED_INPUT = InputFacts(channels=3, height=224, width=224, classes=1000, pictures=1_281_167)
_PUBLISHED_PIXELS, _PUBLISHED_PATCH = 224, 16
_SMALL_PIXELS = 128
_SMALLEST_PIXELS = 16
_MOST_SMALL_PATCHES = 16  # a side of a small picture; more tokens cost more than they bring


@dataclass(frozen=True)
class Preset:
    """Options of a space: channels of the tokens, layers, heads and MLP ratio of each layer; channels of a head.

    `pool`, `reach` (largest distance of relative positions) and `epsilon` (of layer norms) as in `TransformerNetwork`.
    """

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    ratios: tuple[float, ...]
    head_dim: int = 64
    pool: str = "class"
    reach: int = 0
    epsilon: float = 1e-6

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Channels, layers, and of each layer heads and MLP ratio."""
        each = [
            (Choice(f"layer{index}.heads", self.heads), Choice(f"layer{index}.mlp_ratio", self.ratios))
            for index in range(self.depths[-1])
        ]
        return Choice("dim", self.dims), Choice("depth", self.depths), *(choice for pair in each for choice in pair)

    @property
    def network(self) -> dict[str, Any]:
        """What all its networks have in common."""
        return {"pool": self.pool, "reach": self.reach, "epsilon": self.epsilon}


def _autoformer(
    dims: tuple[int, ...], depths: tuple[int, ...], heads: tuple[int, ...], ratios: tuple[float, ...]
) -> Preset:
    """With what its code adds to a DeiT: relative positions up to 14 tokens away, the mean of the patches classified.

    Source: microsoft/Cream AutoFormer (MIT), its model and the flags of its README (`--gp --relative_position`). The
    class token is there and mixed, though not classified; queries, keys and values have biases.
    """
    return Preset(dims, depths, heads, ratios, pool="patches", reach=14, epsilon=1e-5)


def _around_deit(dim: int) -> Preset:
    """Ours: DeiT is the largest network, so that its weights hold every other's."""
    heads = dim // 64
    fewer = tuple(sorted({max(1, heads * part // 4) for part in (2, 3, 4)}))
    return Preset((dim // 2, dim * 3 // 4, dim), (8, 10, 12), fewer, (2.0, 3.0, 4.0))


# T, S, B: AutoFormer's spaces, arXiv 2107.00651, Table 1 and microsoft/Cream AutoFormer/experiments/supernet; there B
# has 9 or 10 heads, in experiments/subnet 8, 9 or 10
PRESETS = {
    "T": _autoformer((192, 216, 240), (12, 13, 14), (3, 4), (3.5, 4.0)),
    "S": _autoformer((320, 384, 448), (12, 13, 14), (5, 6, 7), (3.0, 3.5, 4.0)),
    "B": _autoformer((528, 576, 624), (14, 15, 16), (9, 10), (3.0, 3.5, 4.0)),
    "deit_tiny": _around_deit(192),
    "deit_small": _around_deit(384),
    "deit_base": _around_deit(768),
    "micro": Preset((64, 96, 128), (3, 4, 5, 6), (2, 3, 4), (1.0, 2.0, 3.0), head_dim=32, pool="mean"),
}


class VitSettings(BaseModel):
    """Resolved settings. `resolution`: pixels of the short side, fixed for the whole space; `patch`: pixels a token.

    `reduction`: whether it is a choice where the map of tokens is halved, see `search_spaces/vit/reduction.py`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Literal["T", "S", "B", "deit_tiny", "deit_small", "deit_base", "micro"]
    resolution: int = Field(ge=8, le=1024)
    patch: int = Field(ge=1, le=64)
    channels: int = Field(ge=1, le=16)
    aspect: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 1)
    classes: int = Field(ge=2)
    reduction: bool = False

    @model_validator(mode="after")
    def _patches_tile(self) -> "VitSettings":
        height, width = self.size
        if height % self.patch or width % self.patch:
            below = self.resolution // self.patch * self.patch
            raise ValueError(
                f"patches of {self.patch} pixels do not tile {height}x{width}; nearest resolutions: "
                f"{max(below, self.patch)}, {below + self.patch}"
            )
        return self

    @model_validator(mode="after")
    def _map_can_be_halved_twice(self) -> "VitSettings":
        if self.reduction:
            check_map(self.map_size, self.patch)
        return self

    @property
    def map_size(self) -> tuple[int, int]:
        """Tokens (high, wide)."""
        return self.size[0] // self.patch, self.size[1] // self.patch

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return size_at(self.resolution, self.aspect, self.patch)


def resolve(options: dict[str, Any], facts: InputFacts) -> dict[str, Any]:
    """All settings: those the user gave, the rest from the data."""
    refuse_what_data_decide(options, "channels", "classes", "aspect")
    short_side = min(facts.height, facts.width)
    preset = options.get("preset", "micro" if short_side < _SMALL_PIXELS else "T")
    patch = _number(options.get("patch"), "patch") or (
        default_patch(short_side) if preset == "micro" else _PUBLISHED_PATCH
    )
    pixels = min(max(short_side, _SMALLEST_PIXELS), _PUBLISHED_PIXELS) if preset == "micro" else _PUBLISHED_PIXELS
    return {
        "preset": preset,
        "patch": patch,
        "resolution": max(pixels // patch, 1) * patch,
        **options,
        "channels": facts.channels,
        "aspect": aspect_of(facts.height, facts.width),
        "classes": facts.classes,
    }


def default_patch(short_side: int) -> int:
    """4 pixels for pictures of up to 64, 8 beyond: at most 16 tokens a side up to 128 pixels.

    >>> default_patch(8), default_patch(64), default_patch(96)
    (4, 4, 8)
    """
    return 4 if short_side <= 4 * _MOST_SMALL_PATCHES else 8


def _number(text: Any, key: str) -> int:
    try:
        return int(text or 0)
    except (TypeError, ValueError):
        raise WrongUse(f"{key}: expected a number of pixels, got '{text}'") from None
