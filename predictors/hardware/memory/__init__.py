"""How many bytes of SRAM a runtime needs: one file a runtime, each a rule stated as data."""

from collections.abc import Sequence

from predictors.hardware.memory.rule import MemoryRule, PatchLimits
from search_spaces.core.by_file import exported, file_names
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import LayerTable

__all__ = ["MemoryRule", "PatchLimits", "lacking_operators", "lacking_widths", "memory_rule", "runtime_names"]


_SHOWN = 3


def runtime_names() -> list[str]:
    """The runtimes whose memory rule is known, sorted; a new one is a new file."""
    return file_names(__path__, {"rule"})


def memory_rule(runtime: str) -> MemoryRule:
    """The rule of that runtime; `WrongUse` with the nearest known name otherwise."""
    rule: MemoryRule = exported(__name__, runtime, "RULE", "runtime", runtime_names())
    return rule


def lacking_operators(runtime: str, table: LayerTable, allowed: bool) -> list[str]:
    """The operators of a table that the runtime does not execute, by name; `WrongUse` where there are any, unless that
    is allowed.
    """
    slots = table.slots_of(*memory_rule(runtime).lacks)
    lacking = [table.slot_names[slot] for slot in slots if table.present[:, slot].any()]
    if lacking and not allowed:
        shown = ", ".join(lacking[:_SHOWN]) + (f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else "")
        raise WrongUse(
            f"the runtime {runtime} does not execute these operators in int8: {shown}; take another --runtime, or "
            "price and score them all the same with --allow-unexecutable"
        )
    return lacking


def lacking_widths(runtime: str, names: Sequence[str], flag: str, allowed: bool) -> list[str]:
    """Those of some widths that the runtime does not execute; `WrongUse` where there are any, unless that is allowed.

    `flag`: what named them, such as `--quantize`.
    """
    executed = memory_rule(runtime).widths
    lacking = [name for name in names if name not in executed]
    if lacking and not allowed:
        others = [name for name in runtime_names() if set(lacking) <= set(memory_rule(name).widths)]
        way = f"give --runtime {others[0]}, or " if others else ""
        raise WrongUse(
            f"{flag} {','.join(lacking)}: the runtime {runtime} executes {', '.join(executed)}; {way}price and score "
            "them all the same with --allow-unexecutable"
        )
    return lacking
