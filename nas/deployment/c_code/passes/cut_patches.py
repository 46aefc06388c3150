"""What a patch stage needs to know: rows and columns of every tensor in every patch, cut off at the maps' borders."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.deployment.c_code.passes.plan_memory import Arena
from nas.deployment.c_code.program import Convolution, Depthwise, Operator, Program
from predictors.hardware.clipped_patches import padding_before
from predictors.hardware.patch_ranges import Ranges, patch_ranges
from search_spaces.core.errors import FitnasError
from search_spaces.core.layer_table import Layer

Span = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """`tensors`: of the stage by number, the picture first. `rows`, `columns` `[patch][tensor]`: first, and behind the
    last.
    """

    tensors: tuple[str, ...]
    rows: tuple[tuple[Span, ...], ...]
    columns: tuple[tuple[Span, ...], ...]


def cut_patches(program: Program, arena: Arena, layers: Sequence[Layer]) -> Stage | None:
    """The stage of the arena's schedule; None layer by layer. `program` is named and not yet fused."""
    if arena.end < 0:
        return None
    inside = program.operators[: arena.end + 1]
    for each, layer in zip(inside, layers, strict=False):
        _check_padding(each, layer)
    given = program.input
    rows = patch_ranges(layers, arena.end, arena.patches, "height")
    columns = patch_ranges(layers, arena.end, arena.patches, "width")
    return Stage(
        tensors=(given.name, *(each.output.name for each in inside)),
        rows=tuple(_spans(each, given.height, arena.end) for each in rows),
        columns=tuple(_spans(each, given.width, arena.end) for each in columns),
    )


def _spans(ranges: Ranges, side: int, end: int) -> tuple[Span, ...]:
    """The whole picture lies there; of a tensor that nothing in the patch reads there is nothing."""
    found = [ranges.get(i, range(0)) for i in range(end + 1)]
    return ((0, side), *((each.start, each.stop) for each in found))


def _check_padding(each: Operator, layer: Layer) -> None:
    """`FitnasError` where an operator pads otherwise than the ranges suppose, so that patches would lack rows."""
    if not isinstance(each, Convolution | Depthwise):
        return
    sides = zip(
        ("height", "width"),
        (each.window.top, each.window.left),
        each.window.kernel,
        each.window.stride,
        strict=True,
    )
    for axis, before, kernel, stride in sides:
        supposed = int(padding_before(getattr(layer, f"in_{axis}"), getattr(layer, f"out_{axis}"), kernel, stride))
        if (before, kernel, stride) != (supposed, layer.kernel, layer.stride):
            raise FitnasError(f"{each.name} pads {before} before its {axis}, where its operator table says {supposed}")
