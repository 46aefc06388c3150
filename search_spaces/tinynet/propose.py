"""Networks that a rule gives for a budget: its resolution and depth, and the width that the exact count leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.architecture import Architecture
from search_spaces.core.limits import NoneWithin, first_within, within
from search_spaces.core.population import Population
from search_spaces.core.space import Price, Rows, SearchSpace
from search_spaces.tinynet.bases import Base
from search_spaces.tinynet.layout import scaled_repeats
from search_spaces.tinynet.rule import Floats, Rule, fitted, giant
from search_spaces.tinynet.settings import BASE_PIXELS, TinynetSettings

_TARGETS = 96
_STEP = 0.5  # after the largest network that fits, the next one of at most half its MACs, and so on
_DRAWN, _WINDOW = 512, 0.03
_PHI = np.linspace(-24.0, 4.0, 561)


@dataclass(frozen=True)
class Scaler:
    """The networks of one space that rules give; `measure` where a limit is on a figure that it gives."""

    space: SearchSpace[TinynetSettings]
    base: Base
    price: Price
    limits: Mapping[str, float]
    measure: Price | None = None

    @cached_property
    def ends(self) -> Mapping[str, NDArray[Any]]:
        """Figures of the smallest and the largest network of the space."""
        return self.price(self.space.population(self.space.extremes()))

    def by_rule(self, rule: Rule) -> Rows:
        """For each of many numbers of MACs, the widest network of the rule's resolution and depth within it."""
        smallest, largest = self.ends["macs"].astype(np.float64)
        highest = min(largest, self.limits.get("macs", np.inf))
        targets = np.geomspace(min(smallest, highest), highest, _TARGETS)
        r, d = rule(targets / self.base.macs)
        pairs = np.stack([self._resolutions(r), self._depths(d)], axis=1)
        widths = len(self.space.choices[2].options)
        distinct, which = np.unique(pairs, axis=0, return_inverse=True)
        grid = np.column_stack([np.repeat(distinct, widths, axis=0), np.tile(np.arange(widths), len(distinct))])
        macs = self._priced(grid)["macs"].reshape(len(distinct), widths)
        widest = (macs[which.ravel()] <= targets[:, None]).sum(axis=1) - 1
        rows: Rows = np.column_stack([pairs, widest])[widest >= 0].astype(np.int16)
        return rows

    def by_giant(self) -> Rows:
        """EfficientNet's rule: its three multipliers hang together, so that phi alone is left to solve."""
        r, d, w = giant(_PHI)
        columns = [self._resolutions(r), self._depths(d), _nearest(self.space.choices[2].options, w)]
        rows: Rows = np.column_stack(columns).astype(np.int16)
        return rows

    def samples(self, rng: np.random.Generator) -> Population:
        """Random networks that fit and cost at least 3 % of the limit on MACs, the window of the paper's sample."""
        drawn = self.space.sample(rng, _DRAWN)
        columns = self.price(drawn)
        least = _WINDOW * self.limits["macs"] if "macs" in self.limits else 0.0
        inside = drawn[columns["fits"] & (columns["macs"] >= least)]
        return inside if len(inside) else drawn[columns["fits"]]

    def rule_of(self, told: Sequence[tuple[Architecture, float]]) -> Rule:
        """The rule of the user's own front of MACs and accuracy."""
        population = self.space.population([architecture for architecture, _ in told])
        macs = self.price(population)["macs"].astype(np.float64)
        accuracy = np.array([top1 for _, top1 in told])
        order = np.lexsort((-accuracy, macs))
        best_before = np.maximum.accumulate(np.concatenate([[-np.inf], accuracy[order][:-1]]))
        front = order[accuracy[order] > best_before]
        options = [population[int(row)].options for row in front]
        r = [float(chosen["resolution"]) / BASE_PIXELS for chosen in options]
        return fitted((macs[front] / self.base.macs).tolist(), r, [float(chosen["depth"]) for chosen in options])

    def most_macs(self) -> float:
        """MACs of the largest network of the space."""
        return float(self.ends["macs"][1])

    def nothing_fits(self, rows: Rows) -> NoneWithin:
        """Why none of these networks is given: each exact limit beside both ends of the space.

        Where some are within those, the measured limits beside the smallest of them.
        """
        what, fitting = f"the rule of '{self.space.name}' gives no network for this budget", self._fitting(rows)
        if self.measure is None or not fitting:
            who = ("the smallest network", "the largest")
            ends = {c: dict(zip(who, values.tolist(), strict=True)) for c, values in self.ends.items()}
            return NoneWithin(what, self.limits, ends, "give limits between these, or other options with --set")
        smallest = Population(self.space, rows[fitting[-1:]])
        name = f"the smallest network that fits ({smallest[0].id})"
        figures = {column: {name: float(values[0])} for column, values in self.measure(smallest).items()}
        return NoneWithin(what, self.limits, figures, "give a limit that it meets, or smaller networks with --set")

    def ladder(self, rows: Rows) -> Population:
        """Of these networks the largest that fits, then those at a half, a quarter, ... of its MACs.

        Empty where none fits. The largest that is within measured limits is found by halving what fits else.
        """
        macs, chosen, left = self._priced(rows)["macs"].astype(np.float64), [], np.inf
        order = self._fitting(rows)
        for row in order[first_within(len(order), lambda place: self._is_fast(rows[order[place]])) :]:
            if macs[row] <= left and self._is_fast(rows[row]):
                chosen.append(row)
                left = macs[row] * _STEP
        return Population(self.space, rows[chosen])

    def _fitting(self, rows: Rows) -> list[int]:
        """The positions of those within the exact limits, by falling MACs."""
        columns = self._priced(rows)
        order = np.argsort(-columns["macs"].astype(np.float64), kind="stable")
        return [int(row) for row in order if columns["fits"][row]]

    def _is_fast(self, row: Rows) -> bool:
        """Whether a network is within the measured limits; without those, it is."""
        one = Population(self.space, row[None])
        return self.measure is None or bool(within(self.measure(one), self.limits)[0])

    def _priced(self, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        return self.price(Population(self.space, rows.astype(np.int16)))

    def _resolutions(self, r: Floats) -> NDArray[np.intp]:
        """Whole pixels are cut, not rounded, as in TinyNet's code; then the nearest that the space has."""
        return _nearest(self.space.choices[0].options, np.floor(BASE_PIXELS * r))

    def _depths(self, d: Floats) -> NDArray[np.intp]:
        """The option that gives as many blocks; the nearest end where the space has none."""
        options = self.space.choices[1].options
        position = {scaled_repeats(self.base, float(option)): i for i, option in enumerate(options)}
        inside = np.clip(d, options[0], options[-1])
        return np.array([position[scaled_repeats(self.base, float(depth))] for depth in inside], dtype=np.intp)


def _nearest(options: Sequence[float | str], values: Floats) -> NDArray[np.intp]:
    """The position of the nearest option; of two equally near ones the smaller."""
    known = np.asarray(options, dtype=np.float64)
    nearest: NDArray[np.intp] = np.abs(known[None, :] - values[:, None]).argmin(axis=1)
    return nearest
