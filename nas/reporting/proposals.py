"""What a space's own rule gives for a budget, without data: nothing is trained and nothing is written."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nas.assembly import Parts
from nas.progress import Reporter, Silent
from nas.reporting.member import choices_table
from nas.reporting.tables import measured_words, quantity, schedule, title
from search_spaces.core.limits import NoneWithin
from search_spaces.core.population import Population

if TYPE_CHECKING:
    from rich.console import Console

_MOST_CHOICES = 4  # as columns; more are shown of the first network alone
_COLUMNS = ("macs", "params", "peak_sram_bytes", "flash_bytes")


@dataclass(frozen=True)
class Proposals:
    """The rule's networks, the preferred first, and their measured figures; the exact ones follow."""

    parts: Parts
    population: Population
    measured: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, parts: Parts, reporter: Reporter | None = None) -> "Proposals":
        """Asks the space; `WrongUse` where it has no rule, `Infeasible` where nothing of the rule fits."""
        try:
            with parts.gate.shown(reporter or Silent()) if parts.gate else nullcontext() as gate:
                measure = replace(parts, gate=gate).measure
                population = parts.space.propose(parts.budget.limits, parts.pricer, measure=measure)
                return cls(parts, population, gate(population) if gate else {})
        except NoneWithin as error:
            raise parts.budget.explained(error, parts.runtime) from None

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values; each architecture can be kept as a file and given to `nas cost`."""
        columns = {**self.parts.pricer(self.population), **self.measured}
        return {
            "space": self.parts.space.name,
            "runtime": self.parts.runtime,
            "budget": self.parts.budget.describe(self.parts.runtime),
            "measured": dict(self.parts.whose),
            "proposals": [
                {
                    "id": architecture.id,
                    "architecture": json.loads(architecture.to_json()),
                    **{name: values[row].item() for name, values in columns.items()},
                }
                for row, architecture in enumerate(self.population)
            ],
        }


def print_proposals(console: "Console", document: dict[str, Any]) -> None:
    """A table, and what to type next."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    first = document["proposals"][0]
    choices = list(first["architecture"]["options"])
    choices = choices if len(choices) <= _MOST_CHOICES else []
    table.add_column("id")
    columns = (*_COLUMNS, *document["measured"])
    for heading in (*choices, *map(title, columns)):
        table.add_column(heading, justify="right")
    table.add_column("schedule")
    for row in document["proposals"]:
        options = [str(row["architecture"]["options"][choice]) for choice in choices]
        figures = [quantity(column, row[column]) for column in columns]
        table.add_row(row["id"], *options, *figures, schedule(row["patches"], row["split"]))
    console.print(table)
    if not choices:
        console.print(f"\nnetwork {first['id']}:", markup=False)
        console.print(choices_table(first["architecture"]["options"]))
    console.print(
        f"nothing is trained: these follow from the rule of '{document['space']}' and the budget; SRAM and flash for "
        f"int8, runtime {document['runtime']}{measured_words(document['measured'])}. "
        "With --data the same command trains them",
        markup=False,
    )
