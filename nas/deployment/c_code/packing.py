"""Weights as the bytes of a constant."""

import numpy as np
from numpy.typing import NDArray

_LOWER_HALF = 15


def packed(integers: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """In the order given, 8 bits each, or 4: two a byte, the first in the lower half; an odd last one alone.

    >>> packed(np.array([1, -1, 7], np.int8), 4).tolist()
    [241, 7]
    """
    flat = np.ascontiguousarray(integers).reshape(-1).view(np.uint8)
    if bits == 8:
        return flat
    if len(flat) % 2:
        flat = np.append(flat, np.uint8(0))
    return ((flat[::2] & _LOWER_HALF) | (flat[1::2] << 4)).astype(np.uint8)
