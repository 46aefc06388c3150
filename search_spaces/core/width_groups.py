"""Which operators of a network share a width: those whose outputs are added, multiplied or joined.

Source: HAWQ (arXiv 1905.03696), whose integer program ties the branches of a residual block.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import IntArray, Kind, LayerTable
from search_spaces.core.policy import quantizable

_PASSED_ON = (Kind.ADD, Kind.MULTIPLY, Kind.CONCAT, Kind.POOL)
_UNSET = -1


class WidthGroups:
    """Operators with weights, by the first of those that share a width."""

    def __init__(self, first: Sequence[str], group_of: Mapping[str, int]) -> None:
        self.first, self.group_of = list(first), group_of

    @classmethod
    def of(cls, table: LayerTable) -> "WidthGroups":
        """From a table of networks that together have every operator."""
        parent = list(range(table.slots))

        def root(slot: int) -> int:
            while parent[slot] != slot:
                slot = parent[slot]
            return slot

        makers = _makers(table)
        for slot in table.slots_of(Kind.ADD, Kind.MULTIPLY, Kind.CONCAT):
            a, b = (makers(getattr(table, name)[:, slot]) for name in ("input_a", "input_b"))
            both = table.present[:, slot] & (a >= 0) & (b >= 0)
            for one, other in {*zip(a[both].tolist(), b[both].tolist(), strict=True)}:
                low, high = sorted((root(one), root(other)))
                parent[high] = low
        slots = np.flatnonzero(quantizable(table)).tolist()
        roots = [root(slot) for slot in slots]
        order = {slot: number for number, slot in enumerate(dict.fromkeys(roots))}
        names = {table.slot_names[slot]: order[at] for slot, at in zip(slots, roots, strict=True)}
        return cls([table.slot_names[slot] for slot in order], names)

    def of_slots(self, table: LayerTable) -> NDArray[np.intp]:
        """The group of each slot `(slots,)`, 0 where it has no weights; `WrongUse` for an operator never seen."""
        weighted = quantizable(table)
        unknown = [n for n, has in zip(table.slot_names, weighted, strict=True) if has and n not in self.group_of]
        if unknown:
            raise WrongUse(f"the operator {unknown[0]} has no width of its own; this space cannot be quantized")
        return np.array([self.group_of.get(name, 0) for name in table.slot_names], dtype=np.intp)

    def present(self, table: LayerTable) -> NDArray[np.bool_]:
        """Whether each row has an operator of each group `(n, groups)`."""
        result = np.zeros((len(table), len(self.first)), dtype=bool)
        of_slots = self.of_slots(table)
        for slot in np.flatnonzero(quantizable(table)):
            result[:, of_slots[slot]] |= table.present[:, slot]
        return result


def _makers(table: LayerTable) -> Callable[[IntArray], NDArray[np.intp]]:
    """By tensor, the convolution that made it, through whatever only passes its elements on; -1 where none did."""
    made = np.full(table.present.shape, _UNSET, dtype=np.intp)
    rows = np.arange(len(table))

    def maker(source: IntArray) -> NDArray[np.intp]:
        return np.where(source >= 0, made[rows, np.maximum(source, 0)], _UNSET)

    for slot, kind in enumerate(table.kinds):
        if kind in (Kind.CONV, Kind.DEPTHWISE):
            made[:, slot] = slot
        elif kind in _PASSED_ON:
            made[:, slot] = maker(table.input_a[:, slot])
    return maker
