"""Prices populations of one space for one runtime: what every search, table and command asks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nas.core.budget import Budget
from predictors.hardware.counts import PRODUCTS
from predictors.hardware.price import Schedule, bound_table, price_population
from search_spaces.core.architecture import Architecture
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

Columns = dict[str, NDArray[Any]]
_INT8_PRODUCT = 8 * 8  # bit operations a multiply-accumulate

EXACT_COLUMNS = ("macs", "macs_layerwise", "params", "weight_bytes", "flash_bytes", "peak_sram_bytes", "bitops")


BOUNDED_COLUMNS = ("bitops", "peak_sram_bytes")
"""Where patches get bits by their values, known before an evaluation is what they are with 8: an upper bound."""

PROMISED = "_high"  # a network is within a limit on what is predicted where the upper end of its interval is


class Forecast(Protocol):
    """Figures that are predicted for a population as quickly as it is priced, such as latency on another device.

    Of each column of `whose`, which says whose figure it is, there are arrays `(n,)` of the prediction, of the ends of
    its interval `<column>_low` and `<column>_high` (neither where no interval is known), and `<column>_extrapolated`: 1
    where the network is unlike those that were learnt from. Less is better; infinite where nothing is known of a
    network, which then fits no search.
    """

    @property
    def whose(self) -> Mapping[str, str]:
        """By column, for people."""

    def __call__(self, population: Population, priced: Columns | None = None) -> Columns:
        """The arrays by name. `priced`: the exact figures, under the schedule chosen; None: layer by layer."""


@dataclass(frozen=True)
class Forecasts:
    """Several as one; no two of them of one column."""

    parts: tuple[Forecast, ...]

    @property
    def whose(self) -> Mapping[str, str]:
        """By column, for people."""
        return {column: whose for part in self.parts for column, whose in part.whose.items()}

    def __call__(self, population: Population, priced: Columns | None = None) -> Columns:
        """The arrays by name."""
        return {column: values for part in self.parts for column, values in part(population, priced).items()}


def promised(column: str, figures: Collection[str]) -> str:
    """Which of the figures' columns a limit on a predicted one is held to: the upper end of its interval, the
    prediction itself where no interval is known.

    >>> promised("latency_ms", ["latency_ms", "latency_ms_high"]), promised("latency_ms", ["latency_ms"])
    ('latency_ms_high', 'latency_ms')
    """
    return column + PROMISED if column + PROMISED in figures else column


@dataclass(frozen=True)
class Pricer:
    """Population in, figures out: exact ones under the schedule that `predictors.hardware.price` would choose, and
    those of the `forecast`. `per_patch`: bit operations are those of the schedule with 8 bits, halos included, and not
    those layer by layer. `strict_runtime`: only schedules that the runtime's own generator accepts.
    """

    space: SearchSpace[Any]
    runtime: str
    budget: Budget = field(default_factory=Budget)
    schedule: Schedule = "auto"
    count_input: bool = False
    mac_convention: str = PRODUCTS
    forecast: Forecast | None = None
    per_patch: bool = False
    strict_runtime: bool = False

    @property
    def predicted(self) -> Mapping[str, str]:
        """Whose the predicted figures are, by column."""
        return {} if self.forecast is None else self.forecast.whose

    @property
    def columns(self) -> tuple[str, ...]:
        """Figures that are known before an evaluation."""
        return (*EXACT_COLUMNS, *self.predicted)

    @property
    def limits(self) -> dict[str, float] | None:
        """The limits that are exact; None where there are none."""
        return dict(self.budget.restricted_to(EXACT_COLUMNS).limits) or None

    def promises(self, figures: Collection[str]) -> dict[str, float]:
        """The limits on predicted figures, by the one of these columns that is held to them."""
        limits = self.budget.restricted_to(self.predicted).limits
        return {promised(column, figures): limit for column, limit in limits.items()}

    def __call__(self, population: Population) -> Columns:
        """One array `(n,)` a column; an empty population gives empty columns."""
        rules = (self.runtime, self.limits, self.schedule, self.count_input, self.mac_convention, self.strict_runtime)
        columns = self._with_halos(price_population(population, *rules))
        if self.forecast is None:
            return columns
        columns |= self.forecast(population, columns)
        known = [np.isfinite(columns[column]) for column in self.predicted]
        within = [columns[column] <= limit for column, limit in self.promises(columns).items()]
        return columns | {"fits": np.logical_and.reduce([columns["fits"], *known, *within])}

    def _with_halos(self, columns: Columns) -> Columns:
        if not self.per_patch:
            return columns
        bound = _INT8_PRODUCT * columns["macs"]
        fits = columns["fits"] & (bound <= (self.limits or {}).get("bitops", np.inf))
        return columns | {"bitops": bound, "fits": fits}

    def bound(self, table: LayerTable) -> Columns:
        """The least that networks of at least these operators cost, under no limits, whatever a generator accepts."""
        return bound_table(table, self.runtime, self.schedule, self.count_input, self.mac_convention)

    def one(self, architecture: Architecture) -> dict[str, Any]:
        """The figures of one architecture as plain numbers."""
        columns = self(self.space.population([architecture]))
        return {name: values[0].item() for name, values in columns.items()}

    def without_budget(self) -> "Pricer":
        """The same without limits: the schedule of least peak."""
        return replace(self, budget=Budget())

    def of_largest(self) -> dict[str, Any]:
        """The largest figures of the space, layer by layer and under no limits.

        Each is that of the largest network or of one beside it: an option that costs less work may cost more weights.
        """
        largest = self.space.population([self.space.extremes()[1]])
        around = largest.concatenate(self.space.neighbours(largest[0]))
        columns = replace(self, budget=Budget(), schedule="none")(around)
        return {name: values.max().item() for name, values in columns.items()}
