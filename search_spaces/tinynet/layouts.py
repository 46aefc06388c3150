"""Which layout a base has: the kind of its blocks decides."""

from collections.abc import Sequence

from search_spaces.tinynet.bases import GHOST, MBCONV, Base
from search_spaces.tinynet.ghost_layout import GhostLayout
from search_spaces.tinynet.layout import Layout

_LAYOUTS = {MBCONV: Layout, GHOST: GhostLayout}


def layout_of(base: Base, depths: Sequence[float], widths: Sequence[float]) -> Layout:
    """All networks of some depth and width multipliers over a base."""
    return _LAYOUTS[base.blocks](base, depths, widths)
