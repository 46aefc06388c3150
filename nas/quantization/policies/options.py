"""What the widths of one network's operators cost: a menu of prices, and limits on their sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.core.metric import METRIC_OF_COLUMN, format_quantity
from predictors.hardware.price import price_table
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.policy import QuantizationPolicy, Width, quantizable_names, with_widths
from search_spaces.core.width_groups import WidthGroups

Choice = NDArray[np.intp]
"""The number of a width for each group `(groups,)`."""

ADDITIVE = ("weight_bytes", "flash_bytes", "bitops")
"""Columns that are a sum over operators, each of its own width alone: what can be limited."""


@dataclass(frozen=True)
class Options:
    """Groups of operators that share a width, the widths they may have, and what each costs.

    `names`: in the operator table, in execution order; `groups`: the same in groups. `widths`: from few bits to many.
    `base`: by column, the figure of the network with every group at the last width. `prices`: by column
    `(groups, widths)`, what changes with one group's width. `limits`: by column, inclusive; each is among the columns
    of the prices.
    """

    names: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    widths: tuple[Width, ...]
    base: Mapping[str, int]
    prices: Mapping[str, NDArray[np.int64]]
    limits: Mapping[str, float]

    @classmethod
    def of(cls, table: LayerTable, widths: Sequence[Width], runtime: str, limits: Mapping[str, float]) -> "Options":
        """Of a table of height one; weights have a scale for each output channel."""
        names = quantizable_names(table)
        group_of = WidthGroups.of(table).group_of
        order = list(dict.fromkeys(group_of[name] for name in names))
        groups = tuple(tuple(name for name in names if group_of[name] == group) for group in order)
        number = {name: index for index, group in enumerate(groups) for name in group}
        of_slot = np.array([number.get(name, -1) for name in table.slot_names])
        codes = np.full((1 + len(groups) * len(widths), table.slots), len(widths) - 1)
        for row in range(len(groups) * len(widths)):
            codes[1 + row, of_slot == row // len(widths)] = row % len(widths)
        bits = np.array([(each.weight_bits, each.input_bits) for each in widths], dtype=np.int32)[codes]
        many = table.select(np.zeros(len(codes), dtype=np.intp))
        told = with_widths(many, bits[..., 0], bits[..., 1], np.ones(len(codes), dtype=bool))
        columns = price_table(told, runtime, schedule="none")
        shape = len(groups), len(widths)
        prices = {name: (columns[name][1:] - columns[name][0]).reshape(shape) for name in ADDITIVE}
        base = {name: int(columns[name][0]) for name in ADDITIVE}
        return cls(tuple(names), groups, tuple(widths), base, prices, dict(limits))

    @property
    def shape(self) -> tuple[int, int]:
        """(groups, widths)."""
        return len(self.groups), len(self.widths)

    def uniform(self, width: int) -> Choice:
        """Every group at the width of that number."""
        return np.full(len(self.groups), width, dtype=np.intp)

    @property
    def widest(self) -> Choice:
        """Every group at the last width: where policies begin."""
        return self.uniform(len(self.widths) - 1)

    def figures(self, choice: Choice) -> dict[str, int]:
        """What the network costs, by column."""
        rows = np.arange(len(self.groups))
        return {name: self.base[name] + int(prices[rows, choice].sum()) for name, prices in self.prices.items()}

    def excess(self, choice: Choice) -> dict[str, float]:
        """By column, what is above a limit; columns that are within are left out."""
        figures = self.figures(choice)
        return {name: figures[name] - limit for name, limit in self.limits.items() if figures[name] > limit}

    def fits(self, choice: Choice) -> bool:
        """Whether every limit holds."""
        return not self.excess(choice)

    def cheapest(self, column: str) -> int:
        """The least that the network can have in a column, of whatever widths."""
        return self.base[column] + int(self.prices[column].min(axis=1).sum())

    def explained(self, column: str, least: int, beside: Mapping[str, float] | None = None) -> str:
        """That a limit cannot be met, and the least that can, where the limits `beside` it are met."""
        metric, names = METRIC_OF_COLUMN[column], ", ".join(each.name for each in self.widths)
        others = [f"{METRIC_OF_COLUMN[name].key} <= {limit:,.0f}" for name, limit in (beside or {}).items()]
        return (
            f"no widths of {names} bring this network to {metric.key} <= "
            f"{format_quantity(metric, self.limits[column])}{' with ' if others else ''}{' and '.join(others)}: the "
            f"smallest is {format_quantity(metric, least)}; give that much, narrower --widths, or pick another network"
        )

    def policy(self, choice: Choice) -> QuantizationPolicy:
        """The widths by operator."""
        told = {name: self.widths[width] for names, width in zip(self.groups, choice, strict=True) for name in names}
        return QuantizationPolicy(told)
