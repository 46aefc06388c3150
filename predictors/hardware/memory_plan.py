"""Where each tensor of one network lies in the arena: offsets from lifetimes.

A tensor is a rectangle: bytes high, alive from its first to its last operator. Tensors that share storage (in-place
operators) form one block whose height changes over time. Planning finds an offset for each block so that no two blocks
that are alive together overlap, and the arena is small. The bound from below is the liveness: the most bytes alive at
one operator.

Method: first fit in several fixed orders (among them TensorFlow Lite's greedy by size and by breadth, see
Pisarchyk and Lee, "Efficient memory management for deep neural net inference", arXiv 2001.03288), and where none meets
the bound a bounded search over orders. First fit in order of rising offsets reaches an optimum for some order, so the
search is exact when it ends, as it does for up to eight blocks. Deterministic.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

_SEARCH_STEPS = 150_000
_SEARCH_BLOCKS = 200
_IMPROVEMENT_ROUNDS = 200


@dataclass(frozen=True)
class Lifetime:
    """A tensor of `bytes`, alive at the operators `first` to `last`, both included.

    `alias_of`: name of a tensor at whose offset this one lies too, because an operator works in place.
    """

    name: str
    bytes: int
    first: int
    last: int
    alias_of: str | None = None


@dataclass(frozen=True)
class Plan:
    """`offsets` in bytes by tensor name; `peak_bytes` the arena's size; `liveness_bound_bytes` its lower bound."""

    offsets: Mapping[str, int]
    peak_bytes: int
    liveness_bound_bytes: int

    @property
    def overhead(self) -> float:
        """Peak over bound, at least 1 (1 where nothing needs memory)."""
        return self.peak_bytes / self.liveness_bound_bytes if self.liveness_bound_bytes else 1.0


def plan(lifetimes: Sequence[Lifetime], alignment: int = 1) -> Plan:
    """Offsets for the tensors, each a multiple of `alignment`, to which sizes are rounded up first.

    No tensors or none with bytes give an empty arena. `ValueError` for two tensors of one name, a negative size, a
    lifetime that ends before it begins, an unknown or circular `alias_of`, an alignment below 1.
    """
    _check(lifetimes, alignment)
    owner = _owners(lifetimes)
    blocks = _Blocks(lifetimes, owner, alignment)
    offsets = _best_offsets(blocks)
    return Plan(
        offsets={tensor.name: offsets[blocks.index[owner[tensor.name]]] * alignment for tensor in lifetimes},
        peak_bytes=blocks.peak(offsets) * alignment,
        liveness_bound_bytes=blocks.bound * alignment,
    )


def liveness_bound(lifetimes: Sequence[Lifetime], alignment: int = 1) -> int:
    """The most bytes alive at one operator; tensors that share storage count once, at the largest alive."""
    _check(lifetimes, alignment)
    return _Blocks(lifetimes, _owners(lifetimes), alignment).bound * alignment


def overlaps(lifetimes: Sequence[Lifetime], offsets: Mapping[str, int]) -> list[tuple[str, str]]:
    """Pairs of tensors that a plan gives the same byte at the same time; aliases that lie apart count as such a pair.

    An empty list means that the plan is valid.
    """
    owner = _owners(lifetimes)
    wrong = []
    for one, other in combinations(lifetimes, 2):
        low, high = offsets[one.name], offsets[other.name]
        if owner[one.name] == owner[other.name]:
            bad = low != high
        else:
            together = one.first <= other.last and other.first <= one.last
            bad = together and low < high + other.bytes and high < low + one.bytes and min(one.bytes, other.bytes) > 0
        if bad:
            wrong.append((one.name, other.name))
    return wrong


def _check(lifetimes: Sequence[Lifetime], alignment: int) -> None:
    if alignment < 1:
        raise ValueError(f"alignment must be at least 1, got {alignment}")
    names = {tensor.name for tensor in lifetimes}
    if len(names) < len(lifetimes):
        raise ValueError("two tensors have one name")
    for tensor in lifetimes:
        if tensor.bytes < 0 or tensor.last < tensor.first:
            raise ValueError(f"expected bytes >= 0 and first <= last, got {tensor}")
        if tensor.alias_of is not None and tensor.alias_of not in names:
            raise ValueError(f"{tensor.name} shares the storage of '{tensor.alias_of}', which is no tensor")


def _owners(lifetimes: Iterable[Lifetime]) -> dict[str, str]:
    """For each tensor the one at the root of its chain of aliases."""
    parent = {tensor.name: tensor.alias_of for tensor in lifetimes}
    result = {}
    for name in parent:
        root, steps = name, 0
        while (above := parent[root]) is not None:
            root, steps = above, steps + 1
            if steps > len(parent):
                raise ValueError(f"{name} shares storage in a circle")
        result[name] = root
    return result


class _Blocks:
    """Tensors joined by shared storage, sizes in units of the alignment, and what each pair needs.

    `neighbours[i]` holds (j, below, above) for each block j ever alive together with block i: i may start at most at
    offset(j) - below or at least at offset(j) + above. Heights that change over time need only these two figures,
    since of two blocks the lower one is the lower one at every operator.
    """

    def __init__(self, lifetimes: Sequence[Lifetime], owner: Mapping[str, str], alignment: int) -> None:
        self.index = {name: i for i, name in enumerate(dict.fromkeys(owner.values()))}
        times = sorted({tensor.first for tensor in lifetimes} | {tensor.last + 1 for tensor in lifetimes})
        column = {time: i for i, time in enumerate(times)}
        self.heights: NDArray[np.int64] = np.zeros((len(self.index), len(times)), dtype=np.int64)
        self.first = [len(times)] * len(self.index)
        for tensor in lifetimes:
            block, begin = self.index[owner[tensor.name]], column[tensor.first]
            alive = self.heights[block, begin : column[tensor.last + 1]]
            np.maximum(alive, -(-tensor.bytes // alignment), out=alive)
            self.first[block] = min(self.first[block], begin)
        self.bound = int(self.heights.sum(axis=0).max(initial=0))
        self.top: list[int] = [int(x) for x in self.heights.max(axis=1, initial=0)]
        self.neighbours: list[list[tuple[int, int, int]]] = [self._pairs(i) for i in range(len(self.index))]

    def _pairs(self, i: int) -> list[tuple[int, int, int]]:
        times = np.flatnonzero(self.heights[i])
        mine, others = self.heights[i, times], self.heights[:, times]
        both = np.flatnonzero((others > 0).any(axis=1))
        below = np.where(others[both] > 0, mine, 0).max(axis=1, initial=0)
        above = others[both].max(axis=1, initial=0)
        return [(int(j), int(b), int(a)) for j, b, a in zip(both, below, above, strict=True) if j != i]

    def __len__(self) -> int:
        return len(self.top)

    def peak(self, offsets: Sequence[int]) -> int:
        return max((low + top for low, top in zip(offsets, self.top, strict=True) if low >= 0), default=0)

    def hard_and_easy(self) -> tuple[list[int], list[int]]:
        """Blocks to plan with care, and the others in an order in which first fit cannot pass the bound.

        A block is easy where all that its neighbours among the blocks not yet set aside can forbid, and its own height,
        stay within the bound: some spot is free wherever they lie. So an optimum of the hard ones is one of all.
        """
        hard, easy = list(range(len(self))), list[int]()
        while True:
            inside = set(hard)
            aside = [i for i in hard if self._forbidden(i, inside) + self.top[i] <= self.bound]
            if not aside:
                return hard, easy[::-1]
            easy += aside
            hard = [i for i in hard if i not in aside]

    def _forbidden(self, i: int, inside: set[int]) -> int:
        return sum(below + above for j, below, above in self.neighbours[i] if j in inside)

    def lowest(self, i: int, offsets: Sequence[int]) -> int:
        """The lowest offset at which block i fits among the blocks placed (offset >= 0)."""
        placed = ((offsets[j], below, above) for j, below, above in self.neighbours[i] if offsets[j] >= 0)
        taken = sorted((offset - below, offset + above) for offset, below, above in placed)
        spot = 0
        for low, high in taken:
            if low >= spot:
                break
            spot = max(spot, high)
        return spot

    def first_fit(self, order: Iterable[int], offsets: Sequence[int] = ()) -> list[int]:
        """Offsets after placing the blocks of `order`, each as low as it can, beside those placed in `offsets`."""
        result = list(offsets) or [-1] * len(self)
        for i in order:
            result[i] = self.lowest(i, result)
        return result


def _orders(blocks: _Blocks, hard: Sequence[int]) -> list[list[int]]:
    """The orders tried first: by size, size x duration, duration, begin, end, and breadth (busiest operators first)."""
    duration = [int(x) for x in (blocks.heights > 0).sum(axis=1)]
    area = [int(x) for x in blocks.heights.sum(axis=1)]
    top = blocks.top
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (-top[i], -duration[i], i),
        lambda i: (-area[i], -top[i], i),
        lambda i: (-duration[i], -top[i], i),
        lambda i: (blocks.first[i], -top[i], i),
        lambda i: (-blocks.first[i], -top[i], i),
    ]
    orders = [sorted(hard, key=key) for key in keys]
    breadth: dict[int, None] = {}
    for time in np.argsort(-blocks.heights.sum(axis=0), kind="stable"):
        alive = [i for i in hard if blocks.heights[i, time]]
        breadth |= dict.fromkeys(sorted(alive, key=lambda i: (-int(blocks.heights[i, time]), i)))
    return [*orders, list(breadth)]


def _best_offsets(blocks: _Blocks) -> list[int]:
    hard, easy = blocks.hard_and_easy()
    best = blocks.first_fit(hard)
    for order in _orders(blocks, hard):
        offsets = _improve(blocks, order)
        if blocks.peak(offsets) < blocks.peak(best):
            best = offsets
    if len(hard) <= _SEARCH_BLOCKS:
        best = _Search(blocks, hard, best).run()
    return blocks.first_fit(easy, best)


def _improve(blocks: _Blocks, order: list[int]) -> list[int]:
    """First fit again and again, each time with the block that reached the top moved to the front of the order."""
    best = blocks.first_fit(order)
    current = best
    for _ in range(_IMPROVEMENT_ROUNDS):
        if blocks.peak(best) <= blocks.bound:
            break
        highest = max(order, key=lambda i: (current[i] + blocks.top[i], -i))
        if highest == order[0]:
            break
        order = [highest, *(i for i in order if i != highest)]
        current = blocks.first_fit(order)
        if blocks.peak(current) < blocks.peak(best):
            best = current
    return best


class _Search:
    """Depth-first search over the orders of rising offsets, cut where the best known peak cannot be beaten.

    An optimum exists in which every block lies as low as the blocks placed before it, at rising offsets, let it: push
    blocks of any optimum down until none moves. A bounded number of placements is looked at.
    """

    def __init__(self, blocks: _Blocks, hard: Sequence[int], start: list[int]) -> None:
        self.blocks, self.hard, self.best, self.peak = blocks, hard, start, blocks.peak(start)
        self.steps = _SEARCH_STEPS

    def run(self) -> list[int]:
        self._extend([-1] * len(self.blocks), 0)
        return self.best

    def _extend(self, offsets: list[int], floor: int) -> None:
        left = [i for i in self.hard if offsets[i] < 0]
        if not left:
            self.best, self.peak = list(offsets), self.blocks.peak(offsets)
            return
        self.steps -= len(left)
        spots = sorted((self.blocks.lowest(i, offsets), -self.blocks.top[i], i) for i in left)
        if any(max(spot, floor) - size >= self.peak for spot, size, _ in spots):
            return
        for spot, size, i in spots:
            if self.steps <= 0 or self.peak <= self.blocks.bound:
                return
            if spot >= floor and spot - size < self.peak:
                offsets[i] = spot
                self._extend(offsets, spot)
                offsets[i] = -1
