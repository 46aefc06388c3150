"""How many bytes of SRAM a runtime needs: one file a runtime, each a rule stated as data."""

from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.by_file import exported, file_names

__all__ = ["MemoryRule", "memory_rule", "runtime_names"]


def runtime_names() -> list[str]:
    """The runtimes whose memory rule is known, sorted; a new one is a new file."""
    return file_names(__path__, {"rule"})


def memory_rule(runtime: str) -> MemoryRule:
    """The rule of that runtime; `WrongUse` with the nearest known name otherwise."""
    rule: MemoryRule = exported(__name__, runtime, "RULE", "runtime", runtime_names())
    return rule
