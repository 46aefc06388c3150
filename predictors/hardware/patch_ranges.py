"""Which rows and columns of every tensor each patch of one network needs, without what lies outside of the maps."""

from collections.abc import Sequence

from predictors.hardware.clipped_patches import padding_before
from search_spaces.core.layer_table import Layer

Ranges = dict[int, range]
"""By position of the operator that makes a tensor: rows, or columns."""


def grains(side: int, grid: int) -> list[range]:
    """The split's output cut into `grid` ranges of ceil(side / grid), the last what remains.

    >>> grains(7, 3)
    [range(0, 3), range(3, 6), range(6, 7)]
    """
    grain = -(-side // grid)
    return [range(place * grain, min((place + 1) * grain, side)) for place in range(grid)]


def patch_ranges(layers: Sequence[Layer], end: int, grid: int, axis: str) -> list[Ranges]:
    """By patch along an axis (`height` or `width`), the range of each tensor that the stage up to operator `end` makes.

    A tensor's range is what all its readers need of it together.
    """
    found = []
    for place in grains(getattr(layers[end], f"out_{axis}"), grid):
        ranges = {end: place}
        for i in range(end, -1, -1):
            layer = layers[i]
            need = needed(layer, ranges[i], axis)
            for source in (layer.input_a, layer.input_b):
                if source >= 0:
                    known = ranges.get(source, need)
                    ranges[source] = range(min(known.start, need.start), max(known.stop, need.stop))
        found.append(ranges)
    return found


def needed(layer: Layer, made: range, axis: str) -> range:
    """What an operator reads for a range of its output."""
    given, out = getattr(layer, f"in_{axis}"), getattr(layer, f"out_{axis}")
    before = int(padding_before(given, out, layer.kernel, layer.stride))
    start = made.start * layer.stride - before
    stop = (made.stop - 1) * layer.stride - before + layer.kernel
    return range(max(start, 0), min(stop, given))


def largest_sides(layers: Sequence[Layer], end: int, grid: int) -> dict[int, tuple[int, int]]:
    """Height of the tallest and width of the widest patch of each tensor up to operator `end`."""
    rows, columns = (patch_ranges(layers, end, grid, axis) for axis in ("height", "width"))
    return {i: (max(len(each[i]) for each in rows), max(len(each[i]) for each in columns)) for i in rows[0]}


def positions(layers: Sequence[Layer], end: int, grid: int) -> dict[int, int]:
    """Output positions of each operator up to `end` that all patches together compute."""
    rows, columns = (patch_ranges(layers, end, grid, axis) for axis in ("height", "width"))
    return {i: sum(len(each[i]) for each in rows) * sum(len(each[i]) for each in columns) for i in rows[0]}
