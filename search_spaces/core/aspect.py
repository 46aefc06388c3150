"""Pictures that are not square: one number of pixels stands for height and width."""

import math

_LONGEST = 4


def aspect_of(height: int, width: int) -> tuple[int, int]:
    """Height to width in lowest terms; nearly square is square, and nothing is longer than 4 to 1.

    >>> aspect_of(96, 98), aspect_of(480, 640), aspect_of(10, 1000)
    ((1, 1), (3, 4), (1, 4))
    """
    # within 5 % of square is square: a few odd pixels must not make every map rectangular
    if abs(height - width) * 20 <= max(height, width):
        return 1, 1
    # a strip is squeezed: at its true shape its maps would be many times those of the published space
    height, width = min(height, _LONGEST * width), min(width, _LONGEST * height)
    common = math.gcd(height, width)
    return height // common, width // common


def size_at(resolution: int, aspect: tuple[int, int], step: int = 8) -> tuple[int, int]:
    """(height, width) whose short side is `resolution`; the long side is rounded to a multiple of `step`."""
    height, width = aspect
    if height == width:
        return resolution, resolution
    long_side = max(resolution, round(resolution * max(aspect) / min(aspect) / step) * step)
    return (resolution, long_side) if height < width else (long_side, resolution)
