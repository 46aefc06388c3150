"""How many bytes of SRAM a runtime needs: one file a runtime, each a rule stated as data."""

import importlib
import pkgutil

from predictors.hardware.memory.rule import MemoryRule
from search_spaces.core.errors import WrongUse, unknown

__all__ = ["MemoryRule", "memory_rule", "runtime_names"]


def runtime_names() -> list[str]:
    """The runtimes whose memory rule is known, sorted; a new one is a new file."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - {"rule"})


def memory_rule(runtime: str) -> MemoryRule:
    """The rule of that runtime; `WrongUse` with the nearest known name otherwise."""
    known = runtime_names()
    if runtime not in known:
        raise WrongUse(unknown("runtime", runtime, known))
    rule: MemoryRule = importlib.import_module(f"predictors.hardware.memory.{runtime}").RULE
    return rule
