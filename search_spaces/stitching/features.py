"""What a predictor of accuracy sees of a route."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from search_spaces.stitching.routes import Route

Floats = NDArray[np.float64]
# Few enough to be learnt from some tens of stitches. A cut inside a section shows in that section's mean.
SECTIONS = 8


def route_features(routes: Sequence[Route], depths: Sequence[int], works: Sequence[int]) -> Floats:
    """`(n, SECTIONS + 3)` of routes through anchors of so many blocks; `works` are the routes' multiply-accumulates.

    The logarithm of the work; which anchor runs in each of equal sections from input to output, as its number in order
    of cost; how many stitches lead into a costlier anchor, and how many into a cheaper one. Like routes have like
    features, whatever their number of parts: where a network is small counts, less how the route is written.
    """
    return np.array(
        [
            [np.log(work), *section_anchors(route, depths), *stitches_each_way(route)]
            for route, work in zip(routes, works, strict=True)
        ]
    )


def section_anchors(route: Route, depths: Sequence[int]) -> Floats:
    """Mean number `(SECTIONS,)` of the anchors that run in each section of the depth, weighted by how much of it.

    Depth is the share of an anchor's blocks. What runs twice counts twice; what a stitch leaps over, as the part
    before.

    >>> from search_spaces.stitching.routes import Part
    >>> section_anchors(Route((Part(0, 0, 6), Part(1, 12, 24)), (0,)), (12, 24)).tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    """
    begins = np.array([part.first / depths[part.anchor] for part in route.parts])
    ends = np.array([part.end / depths[part.anchor] for part in route.parts])
    ends[:-1] = np.maximum(ends[:-1], begins[1:])
    edges = np.linspace(0.0, 1.0, SECTIONS + 1)
    lengths = np.minimum(ends[:, None], edges[1:]) - np.maximum(begins[:, None], edges[:-1])
    weights = np.maximum(lengths, 0.0)  # (parts, sections)
    mean: Floats = np.array([part.anchor for part in route.parts]) @ weights / weights.sum(axis=0)
    return mean


def stitches_each_way(route: Route) -> tuple[int, int]:
    """How many stitches lead into a costlier anchor, and how many into a cheaper one."""
    steps = [after.anchor - here.anchor for here, after in pairwise(route.parts)]
    return sum(step > 0 for step in steps), sum(step < 0 for step in steps)
