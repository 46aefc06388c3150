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


def packed_in_eights(integers: NDArray[np.int8]) -> NDArray[np.uint8]:
    """4 bits each, rows of a multiple of eight: byte i of each four holds weight i below and weight i + 4 above.

    >>> packed_in_eights(np.arange(8, dtype=np.int8)[None]).tolist()
    [64, 81, 98, 115]
    """
    groups = np.ascontiguousarray(integers).reshape(-1, 2, 4).view(np.uint8)
    return ((groups[:, 0] & _LOWER_HALF) | (groups[:, 1] << 4)).astype(np.uint8).reshape(-1)
