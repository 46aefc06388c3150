"""What a population costs operator by operator, run layer by layer: the ground that every schedule is priced on."""

from dataclasses import dataclass

from predictors.hardware.counts import PRODUCTS, Counts, macs_by_slot, products_by_slot, work_by_slot
from predictors.hardware.liveness import Liveness, liveness
from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.layer_table import LayerTable


@dataclass(frozen=True)
class Layerwise:
    """A table under one memory rule and one convention of MACs. Counts are `(n, slots)`, `products` and `work` those
    of one output position, `macs` those of the whole map; `live`: the bytes.
    """

    table: LayerTable
    rule: MemoryRule
    live: Liveness
    products: Counts
    work: Counts
    macs: Counts

    @property
    def product_macs(self) -> Counts:
        """Those of multiplications alone, whatever the convention."""
        return self.macs if self.work is self.products else macs_by_slot(self.table, self.products)

    @classmethod
    def of(cls, table: LayerTable, rule: MemoryRule, count_input: bool, convention: str = PRODUCTS) -> "Layerwise":
        """`count_input`: the whole image's bytes too; `WrongUse` for an unknown convention."""
        products = products_by_slot(table)
        work = work_by_slot(table, products, convention)
        return cls(table, rule, liveness(table, rule, count_input), products, work, macs_by_slot(table, work))
