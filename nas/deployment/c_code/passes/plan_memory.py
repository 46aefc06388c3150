"""Where every tensor lies: the arena as `memory_plan` lays it out under the rule that priced the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from nas.deployment.c_code.program import Program
from predictors.hardware.geometry import stage_end
from predictors.hardware.lifetimes import PATCH, PLANE, lifetimes
from predictors.hardware.memory import memory_rule
from predictors.hardware.memory_plan import plan
from search_spaces.core.errors import FitnasError
from search_spaces.core.layer_table import LayerTable

RUNTIME = "c"
IMAGE = "image"


@dataclass(frozen=True)
class Arena:
    """`offsets` in bytes: of what an operator makes by its name, in a patch by `patch:NAME`; planes by `plane:NAME`
    and `plane:patch:NAME`; `image` where it lies in the arena. `aliases`: whose storage a tensor takes over. `end`:
    position of the patch stage's last operator, -1 layer by layer. `patches`: along a side of the grid.
    """

    offsets: Mapping[str, int]
    aliases: Mapping[str, str]
    bytes: int
    patches: int
    end: int

    def plane(self, name: str) -> int | None:
        """Offset of an operator's plane; None where it does not work in place."""
        return self.offsets.get(PLANE + name)


def plan_memory(program: Program, table: LayerTable, patches: int, split: int, count_input: bool) -> Arena:
    """The arena of a program whose operators have the names of `table`, of height one.

    `WrongUse` for a schedule that the network does not admit, such as one that splits a residual block.
    """
    layers = table.layers(0)
    tensors = lifetimes(table, 0, RUNTIME, patches, split, count_input)
    found = plan(tensors, memory_rule(RUNTIME).alignment)
    end = stage_end(table, layers, patches, split) if split else -1
    missing = [each.name for each in program.operators if not {each.name, PATCH + each.name} & set(found.offsets)]
    if missing:
        raise FitnasError(f"the memory plan has no place for {', '.join(missing)}")
    aliases = {tensor.name: tensor.alias_of for tensor in tensors if tensor.alias_of is not None}
    return Arena(found.offsets, aliases, found.peak_bytes, patches if split else 1, end)


def accumulating(program: Program, arena: Arena) -> list[int]:
    """Positions of the operators that write onto what the addition right behind them adds."""
    found = []
    for i, (each, behind) in enumerate(pairwise(program.operators)):
        if len(behind.inputs) < 2 or behind.inputs[0] != each.output:
            continue
        prefix = PATCH if i <= arena.end else ""
        residual = next(other.name for other in program.operators if other.output == behind.inputs[1])
        if arena.aliases.get(prefix + each.name) == prefix + residual:
            found.append(i)
    return found
