"""What a predictor of accuracy sees of a route."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.stitching.routes import Route

_MOST_PARTS = 3


def route_features(routes: Sequence[Route], depths: Sequence[int], works: Sequence[int]) -> NDArray[np.float64]:
    """`(n, features)` of routes through anchors of so many blocks; `works` are the routes' multiply-accumulates.

    The logarithm of the work, the number of parts, and of each part, up to three: its anchor, where it begins and ends
    as shares of that anchor's blocks, and how far the stitch before it jumps back or ahead, as a share too. Numbers of
    parts that are not there are those of a part of nothing behind the last one.
    """
    rows = []
    for route, work in zip(routes, works, strict=True):
        row, behind = [np.log(work), float(len(route.parts))], 0.0
        for index in range(_MOST_PARTS):
            if index < len(route.parts):
                anchor, first, end = route.parts[index]
                start, stop = first / depths[anchor], end / depths[anchor]
                row += [float(anchor), start, stop, start - behind]
                behind = stop
            else:
                row += [float(route.parts[-1].anchor), 1.0, 1.0, 0.0]
        rows.append(row)
    return np.array(rows)
