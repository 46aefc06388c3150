"""Prices populations of one space for one runtime: what every search, table and command asks."""

from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from nas.core.budget import Budget
from predictors.hardware.counts import PRODUCTS
from predictors.hardware.price import Schedule, price_population, price_table
from search_spaces.core.architecture import Architecture
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.population import Population
from search_spaces.core.space import SearchSpace

Columns = dict[str, NDArray[Any]]

EXACT_COLUMNS = ("macs", "macs_layerwise", "params", "weight_bytes", "flash_bytes", "peak_sram_bytes")


@dataclass(frozen=True)
class Pricer:
    """Population in, exact figures out, under the schedule that `predictors.hardware.price` would choose."""

    space: SearchSpace[Any]
    runtime: str
    budget: Budget = field(default_factory=Budget)
    schedule: Schedule = "auto"
    count_input: bool = False
    mac_convention: str = PRODUCTS

    @property
    def limits(self) -> dict[str, float] | None:
        """The limits that are known before an evaluation; None where there are none."""
        return dict(self.budget.restricted_to(EXACT_COLUMNS).limits) or None

    def __call__(self, population: Population) -> Columns:
        """One array `(n,)` a column; an empty population gives empty columns."""
        rules = (self.runtime, self.limits, self.schedule, self.count_input, self.mac_convention)
        return price_population(population, *rules)

    def table(self, table: LayerTable) -> Columns:
        """The same of an operator table, under no limits."""
        return price_table(table, self.runtime, None, self.schedule, self.count_input, self.mac_convention)

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
