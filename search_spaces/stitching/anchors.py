"""The trained networks that are stitched, as settings; what makes some of them a family."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.input_facts import InputFacts
from search_spaces.stitching.families import Family, family_of
from search_spaces.stitching.routes import MOST_ANCHORS, letter

# Channels, layers, heads. DeiT, arXiv 2012.12877; DeiT III, arXiv 2204.07118, the scales of whose layers are multiplied
# into their weights, and the position of whose class token is zero; both as in timm 1.0.31 (Apache-2.0).
_PUBLISHED = {
    "deit_tiny": (192, 12, 3),
    "deit_small": (384, 12, 6),
    "deit_base": (768, 12, 12),
    "deit3_small": (384, 12, 6),
    "deit3_base": (768, 12, 12),
    "deit3_large": (1024, 24, 16),
}
_PATCH = {"kernel": 16, "stride": 16, "padding": 0, "bias": True, "pool": False}


class Anchor(BaseModel):
    """A trained network: what it is called, its class with its arguments, 64 hex digits over its weights.

    No digits: the weights are not at hand. The network can be priced, not trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    factory: str = "TransformerNetwork"
    network: dict[str, Any]
    weights: str = Field(default="", pattern="^([0-9a-f]{64})?$")

    @property
    def family(self) -> Family:
        """What there is to know of such networks; `WrongUse` where they are not stitched."""
        return family_of(self.factory, self.name)

    @property
    def stages(self) -> tuple[int, ...]:
        """Number of blocks of each stage."""
        return self.family.stages(self.network)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return sum(self.stages)


def read_anchors(text: str, facts: InputFacts | None) -> tuple[Anchor, ...]:
    """Anchors of a comma-separated list of our published networks, or of the JSON of resolved ones, in order of cost.

    `WrongUse` where they are no family, or take pictures of other channels than the data, if there are any.
    """
    channels = facts.channels if facts else 3
    if text.startswith("["):
        anchors = [Anchor(**entry) for entry in json.loads(text)]
    else:
        anchors = [published_anchor(name.strip(), channels) for name in text.split(",") if name.strip()]
    check_family(anchors, facts)
    return tuple(sorted(anchors, key=lambda anchor: anchor.family.work(anchor.network)))


def is_published(name: str) -> bool:
    """Whether `published_anchor` knows it."""
    return name in _PUBLISHED


def published_anchor(name: str, channels: int = 3) -> Anchor:
    """A published network without weights, for pictures of so many channels.

    `WrongUse` with the nearest known name where there is none.
    """
    if not is_published(name):
        known = unknown("anchor", name, _PUBLISHED)
        raise WrongUse(f"{known}; trained ones are given as RUN:ID, an exported folder, or a name of timm")
    dim, depth, heads = _PUBLISHED[name]
    network = {
        "input_size": [channels, 224, 224],
        "tokenizer": [{"out": dim, **_PATCH}],
        "layers": [{"heads": heads, "head_dim": dim // heads, "mlp": 4 * dim} for _ in range(depth)],
        "classes": 1000,
    }
    return Anchor(name=name, network=network)


def check_family(anchors: Sequence[Anchor], facts: InputFacts | None) -> None:
    """`WrongUse` where fewer than two are given or one does not go together with the first, or with the data."""
    if not 2 <= len(anchors) <= MOST_ANCHORS:
        raise WrongUse(f"stitching takes 2 to {MOST_ANCHORS} anchors, got {len(anchors)}; --set anchors=A,B")
    first = _traits(anchors[0])
    for anchor in anchors:
        for name, value in _traits(anchor).items():
            if value != first[name]:
                raise WrongUse(
                    f"anchors have one {name}; {anchors[0].name} has {first[name]}, {anchor.name} has {value}: "
                    "take networks of one family, trained on the same data"
                )
        unfit = anchor.family.unfit(anchor.network)
        if unfit:
            raise WrongUse(f"{anchor.name} has {unfit}, such networks are not stitched")
    channels = anchors[0].network["input_size"][0]
    if facts and channels != facts.channels:
        raise WrongUse(f"the anchors take pictures of {channels} channels, the data have {facts.channels}")


def _traits(anchor: Anchor) -> dict[str, Any]:
    """What all share, by name; the class first, since what follows depends on it."""
    return {"class of networks": anchor.factory, **anchor.family.traits(anchor.network)}


def legend(anchors: Sequence[Anchor], classes: int) -> list[str]:
    """Which letter is which network, a line each."""
    lines = []
    for number, anchor in enumerate(anchors):
        own = anchor.network["classes"]
        channels = anchor.family.widths(anchor.network)
        told = [f"{letter(number)} = {anchor.name}: {anchor.depth} blocks of {channels} channels"]
        told += [] if anchor.weights else ["weights not read yet"]
        told += [f"its classifier of {own} classes gives way to one of {classes}"] if own != classes else []
        lines.append(", ".join(told))
    return lines
