"""Small operators to try passes on."""

import numpy as np

from nas.deployment.c_code import program as c
from nas.deployment.c_code.program import Bounded, Map, Scaling, Window

PICTURE, FIRST, SECOND = Map("picture", 8, 8, 4), Map("first", 8, 8, 4), Map("second", 8, 8, 4)
ADDITION = c.Addition((0, 0), (Scaling(1, 0), Scaling(1, 0)), Scaling(1, 0), Bounded(0, -128, 127))
FLIPPED = np.arange(127, -129, -1).astype(np.int8)


def weights(bits: int = 8, most: int = 127, shift: int = -5) -> c.Weights:
    """Of four channels."""
    whole = np.ones(4, dtype=np.int32)
    shifts = np.full(4, shift, dtype=np.int8)
    return c.Weights(np.ones((4, 4), np.int8), bits, whole, whole, shifts, 0, Bounded(0, -128, most))


def convolution(source: Map = PICTURE, made: Map = FIRST, kernel: int = 1, **more: object) -> c.Convolution:
    """Of stride 1, padded by half its kernel."""
    window = Window((kernel, kernel), (1, 1), kernel // 2, kernel // 2)
    known = {"name": made.name, "inputs": (source,), "output": made, "window": window, "weights": weights()}
    return c.Convolution(**{**known, **more})  # type: ignore[arg-type]


def lookup(source: Map = FIRST, made: Map = SECOND) -> c.Lookup:
    """Upside down."""
    return c.Lookup(name=made.name, inputs=(source,), output=made, table=FLIPPED)
