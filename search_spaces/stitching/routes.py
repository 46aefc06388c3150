"""Which stitches of trained networks there are: routes through their blocks, and the stitch layers that these share.

Sources: SN-Net, arXiv 2302.06586, ziplab/SN-Net (Apache-2.0); SN-Netv2, arXiv 2307.00154, ziplab/SN-Netv2 (Apache-2.0).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_ANCHORS = len(_LETTERS)


class Part(NamedTuple):
    """The blocks `first` to `end` - 1 of an anchor."""

    anchor: int
    first: int
    end: int


@dataclass(frozen=True)
class Route:
    """Parts in execution order; between two of them stands a stitch layer, `layers` are their numbers."""

    parts: tuple[Part, ...]
    layers: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Parts as slices, the anchors by letter.

        >>> Route((Part(0, 0, 4), Part(1, 3, 12)), (2,)).name, Route((Part(1, 0, 12),)).name
        ('A[:4]+B[3:]', 'B')
        """
        if len(self.parts) == 1:
            return letter(self.parts[0].anchor)
        last = len(self.parts) - 1
        ends = [(str(part.first) if i else "", "" if i == last else str(part.end)) for i, part in enumerate(self.parts)]
        return "+".join(
            f"{letter(part.anchor)}[{first}:{end}]" for part, (first, end) in zip(self.parts, ends, strict=True)
        )

    @property
    def is_anchor(self) -> bool:
        """Whether it is one of the networks that are stitched."""
        return len(self.parts) == 1

    @property
    def deeper(self) -> bool:
        """Whether a block is gone through twice: what comes next lands before the block that was left (j > q)."""
        return any(here.end - 1 > after.first for here, after in pairwise(self.parts))


def letter(anchor: int) -> str:
    """How an anchor is called: A, B, C, ... in order of cost."""
    return _LETTERS[anchor]


def anchors_of(depths: Sequence[int]) -> list[Route]:
    """Each network by itself, all of its blocks."""
    return [Route((Part(number, 0, depth),)) for number, depth in enumerate(depths)]


def paired_windows(depth: int, kernel: int, stride: int) -> Iterator[list[tuple[int, int]]]:
    """Of two networks of one depth: (block left, block entered) of each window of `kernel` blocks, new pairs alone.

    Windows without a new pair are left out; the pairs of one window share a stitch layer.
    """
    seen: set[tuple[int, int]] = set()
    for start in range(0, depth, stride):
        window = range(start, min(start + kernel, depth))
        pairs = [(left, entered) for left in window for entered in window if (left, entered) not in seen]
        seen.update(pairs)
        if pairs:
            yield pairs


def unpaired_windows(front: int, back: int, upstream: bool = False) -> Iterator[list[tuple[int, int]]]:
    """Of a network of `front` blocks and a deeper one of `back`: block t is entered behind block t x front // back.

    Where that one stands before t; the pairs that leave one block share a stitch layer. `upstream`: they share as in
    the public code of SN-Net for Swin, which drops the first pair but not its layer, so that each pair takes the layer
    of the one before it.
    """
    pairs = [(entered * front // back, entered) for entered in range(back)]
    kept = [pair for pair in pairs if pair[0] < pair[1]]
    by_layer: dict[int, list[tuple[int, int]]] = {}
    for pair, other in zip(kept, pairs, strict=False):
        by_layer.setdefault(other[0] if upstream else pair[0], []).append(pair)
    yield from by_layer.values()


def _windows(
    front: int, back: int, kernel: int, stride: int, upstream: bool = False
) -> Iterator[list[tuple[int, int]]]:
    return paired_windows(front, kernel, stride) if front == back else unpaired_windows(front, back, upstream)


def snnet_routes(depths: Sequence[int], kernel: int, stride: int) -> list[Route]:
    """Anchors, then every stitch from an anchor to the next larger one ("nearest", "fast to slow").

    In the order of the published files. Neighbours of one depth are paired by sliding windows, a deeper back by
    `unpaired_windows`; `ValueError` where the back has fewer blocks than the front.
    """
    routes, layers = anchors_of(depths), 0
    for front, (here, after) in enumerate(pairwise(depths)):
        if after < here:
            raise ValueError(f"a network of {here} blocks cannot go on in one of {after}")
        for pairs in _windows(here, after, kernel, stride):
            routes += [
                Route((Part(front, 0, left + 1), Part(front + 1, entered, after)), (layers,)) for left, entered in pairs
            ]
            layers += 1
    return routes


def staged_routes(depths: Sequence[Sequence[int]], kernel: int, stride: int, upstream: bool = False) -> list[Route]:
    """`snnet_routes` of networks in stages, such as Swin: blocks are counted through, `depths` are those of each stage.

    Stitches stand inside a stage, never in the last one, and none goes back; those of the first stage first, as in the
    published file. Swin-T, -S and -B have 41 routes:

    >>> len(staged_routes([(2, 2, 6, 2), (2, 2, 18, 2), (2, 2, 18, 2)], 2, 1))
    41
    """
    routes, layers = anchors_of([sum(stages) for stages in depths]), 0
    for stage in range(len(depths[0]) - 1):
        for front, (here, after) in enumerate(pairwise(depths)):
            of_here, of_after = sum(here[:stage]), sum(after[:stage])
            for window in _windows(here[stage], after[stage], kernel, stride, upstream):
                ahead = [(left, entered) for left, entered in window if left < entered]
                for left, entered in ahead:
                    back = Part(front + 1, of_after + entered, sum(after))
                    routes.append(Route((Part(front, 0, of_here + left + 1), back), (layers,)))
                layers += bool(ahead)
    return routes


def snnetv2_routes(depths: Sequence[int]) -> list[Route]:
    """Six ways through a small network S and a large one L: S, L, S-L, L-S, L-S-L, S-L-S, in the published order.

    S-L enters L behind as large a share of its blocks as were run in S; L-S leaves L every second block (every one,
    where both are equally deep). A third part begins no earlier than where the second was entered. The stitch behind
    the last block of S is left out, as published. `ValueError` where there are not two, or S is the deeper one.
    """
    small, large = depths if len(depths) == 2 else (0, 0)
    if not 0 < small <= large:
        raise ValueError(f"routes both ways take two networks, the smaller no deeper than the larger; got {depths}")
    every = 1 if small == large else 2
    up = [_Stitch(left, (left + 1) * large // small, left) for left in range(small - 1)]
    left_behind = range(every - 1, large - 1, every)
    down = [_Stitch(left, left * small // large + 1, len(up) + number) for number, left in enumerate(left_behind)]
    routes = anchors_of(depths)
    routes += [_through(depths, 0, stitch) for stitch in up]
    routes += [_through(depths, 1, stitch) for stitch in down]
    routes += [_through(depths, 1, one, two) for one in down for two in up if two.left >= one.entered]
    routes += [_through(depths, 0, one, two) for one in up for two in down if two.left >= one.entered]
    return routes


class _Stitch(NamedTuple):
    """The block left, the block entered, the number of the stitch layer between them."""

    left: int
    entered: int
    layer: int


def _through(depths: Sequence[int], start: int, *stitches: _Stitch) -> Route:
    """The route that begins in the network `start` and changes to the other one at each stitch."""
    parts, anchor, first = [], start, 0
    for stitch in stitches:
        parts.append(Part(anchor, first, stitch.left + 1))
        anchor, first = 1 - anchor, stitch.entered
    return Route((*parts, Part(anchor, first, depths[anchor])), tuple(stitch.layer for stitch in stitches))
