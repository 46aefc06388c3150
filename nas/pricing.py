"""Prices populations of one space for one runtime: what every search, table and command asks."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from nas.core.budget import Budget
from predictors.hardware.price import Schedule, price_population
from search_spaces.core.architecture import Architecture
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

    @property
    def limits(self) -> dict[str, float] | None:
        """The limits that are known before an evaluation; None where there are none."""
        return dict(self.budget.restricted_to(EXACT_COLUMNS).limits) or None

    def __call__(self, population: Population) -> Columns:
        """One array `(n,)` a column; an empty population gives empty columns."""
        return price_population(population, self.runtime, self.limits, self.schedule, self.count_input)

    def one(self, architecture: Architecture) -> dict[str, Any]:
        """The figures of one architecture as plain numbers."""
        columns = self(self.space.population([architecture]))
        return {name: values[0].item() for name, values in columns.items()}

    def without_budget(self) -> "Pricer":
        """The same without limits: the schedule of least peak."""
        return Pricer(self.space, self.runtime, Budget(), self.schedule, self.count_input)
