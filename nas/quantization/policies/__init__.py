"""Which operator of one trained network gets how many bits within a budget. One file is one policy.

It exports `POLICY`, a function from a `Task` to a `Choice`.
"""

import importlib
import pkgutil
from collections.abc import Callable

from nas.quantization.policies.task import Choice, Task
from search_spaces.core.errors import WrongUse, unknown

__all__ = ["DEFAULT", "Policy", "Task", "policy", "policy_names"]

DEFAULT = "greedy"  # the best in benchmarks/policies.py, if not by much

Policy = Callable[[Task], Choice]

_NOT_POLICIES = {"integer_program", "options", "task"}


def policy_names() -> list[str]:
    """Every known policy, sorted; none is imported."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - _NOT_POLICIES)


def policy(name: str) -> Policy:
    """The one that `nas/quantization/policies/<name>.py` exports; `WrongUse` with the nearest known name otherwise."""
    known = policy_names()
    if name not in known:
        raise WrongUse(unknown("policy", name, known))
    found: Policy = importlib.import_module(f"nas.quantization.policies.{name}").POLICY
    return found
