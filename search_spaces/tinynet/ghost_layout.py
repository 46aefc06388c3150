"""A base of ghost bottlenecks scaled by depth and width multipliers."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.table_writer import TableWriter
from search_spaces.tinynet.layout import STEM, Layout, Place

_CHEAP_KERNEL = 3


class GhostLayout(Layout):
    """All networks of some depth and width multipliers over one base; see `search_spaces/blocks/ghost.py`."""

    module: ClassVar[str] = "search_spaces.blocks.ghost"
    network: ClassVar[str] = "GhostNetwork"

    def arguments(self, depth: int, width: int, input_size: Sequence[int], classes: int) -> dict[str, Any]:
        """Those of `GhostNetwork` for one pair of multipliers by position."""
        return {
            "input_size": list(input_size),
            "stem": {"out": self.base.stem, **STEM},
            "blocks": [_block(place, width) for place in self.present(depth)],
            "mix": int(self.last[width]),
            "hidden": self.base.head,
            "classes": classes,
        }

    def write_block(
        self,
        writer: TableWriter,
        place: Place,
        exists: NDArray[np.bool_],
        width: NDArray[Any],
        common_residuals: bool,
    ) -> None:
        """One block in the rows in which it exists; see `Layout.table`."""
        here: Any = True if exists.all() else exists
        name, start = f"run{place.number}.block{place.index}", writer.current
        _ghost(writer, f"{name}.widen", place.mid[width], here)
        if place.stride > 1:
            writer.depthwise(f"{name}.depthwise", place.run.kernel, place.stride, here=here)
        if place.share:
            writer.squeeze(name, place.squeeze[width], here=here)
        _ghost(writer, f"{name}.narrow", place.out[width], here)
        identity = place.residual[width]
        if not common_residuals or place.residual.all() or not place.residual.any():
            _shortcut(writer, name, place, start, width, exists, exists & ~identity)
        writer.cut()


def _ghost(writer: TableWriter, name: str, out: NDArray[Any], here: Any) -> None:
    primary = writer.conv(f"{name}.primary", out // 2, here=here)
    writer.depthwise(f"{name}.cheap", _CHEAP_KERNEL, here=here)
    writer.concat(f"{name}.concat", primary, here=here)


def _shortcut(
    writer: TableWriter,
    name: str,
    place: Place,
    start: Any,
    width: NDArray[Any],
    exists: NDArray[np.bool_],
    convolved: NDArray[np.bool_],
) -> None:
    """Adds the block's input: as it is, or behind two convolutions in the rows `convolved`."""
    main = writer.current
    writer.current = start
    if convolved.any():
        here: Any = True if convolved.all() else convolved
        writer.depthwise(f"{name}.shortcut_depthwise", place.run.kernel, place.stride, here=here)
        writer.conv(f"{name}.shortcut", place.out[width], here=here)
    other, writer.current = writer.current, main
    writer.add(f"{name}.add", other, here=True if exists.all() else exists)


def _block(place: Place, width: int) -> dict[str, Any]:
    return {
        "in": int(place.inside[width]),
        "mid": int(place.mid[width]),
        "out": int(place.out[width]),
        "kernel": place.run.kernel,
        "stride": place.stride,
        "squeeze": int(place.squeeze[width]),
    }
