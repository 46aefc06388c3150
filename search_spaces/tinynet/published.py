"""Published networks of the family: TinyNet's five, and the base networks at multiplier 1."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from search_spaces.core.layer_table import LayerTable
from search_spaces.core.space import Blueprint, PublishedMember
from search_spaces.tinynet.bases import BASES
from search_spaces.tinynet.layouts import layout_of

_CHANNELS, _CLASSES = 3, 1000


class Scaled(NamedTuple):
    """A base at some resolution (pixels) and multipliers."""

    pixels: int
    depth: float
    width: float
    base: str = "efficientnet_b0"


# (r, d, w) as in timm's definitions; the resolution is int(224 r)
TINYNETS = {
    "tinynet_a": Scaled(int(224 * 0.86), 1.2, 1.0),
    "tinynet_b": Scaled(int(224 * 0.84), 1.1, 0.75),
    "tinynet_c": Scaled(int(224 * 0.825), 0.85, 0.54),
    "tinynet_d": Scaled(int(224 * 0.68), 0.695, 0.54),
    "tinynet_e": Scaled(int(224 * 0.475), 0.60, 0.51),
}
_SOURCE = "TinyNet, arXiv 2010.14819; multipliers from timm 1.0.31 (Apache-2.0)"


def table_of(scaled: Scaled) -> LayerTable:
    """Its operators, a table of height one."""
    zero, side = np.zeros(1, dtype=np.intp), np.full(1, scaled.pixels, dtype=np.int32)
    layout = layout_of(BASES[scaled.base], (scaled.depth,), (scaled.width,))
    return layout.table(zero, zero, (side, side), _CHANNELS, _CLASSES)


def _blueprint(scaled: Scaled) -> Blueprint:
    layout = layout_of(BASES[scaled.base], (scaled.depth,), (scaled.width,))
    size = (_CHANNELS, scaled.pixels, scaled.pixels)
    return layout.blueprint(0, 0, size, _CLASSES)


@functools.cache
def published_members() -> Mapping[str, PublishedMember]:
    """By name: `tinynet_a` to `tinynet_e` and the bases."""
    networks = {**TINYNETS, **{name: Scaled(224, 1.0, 1.0, name) for name in BASES}}
    return {
        name: PublishedMember(
            name,
            _SOURCE if name in TINYNETS else f"{name} as defined in timm 1.0.31 (Apache-2.0)",
            functools.partial(table_of, scaled),
            functools.partial(_blueprint, scaled),
        )
        for name, scaled in networks.items()
    }
