"""Ways to propose architectures. One file is one strategy: its file name is its name, it exports `STRATEGY`."""

import importlib
import pkgutil
from importlib.metadata import entry_points

from nas.strategies.strategy import Strategy
from search_spaces.core.errors import WrongUse, did_you_mean

ENTRY_POINT_GROUP = "fitnas.strategies"
_NOT_STRATEGIES = {"strategy", "around_front", "improvement", "moves", "optuna_sampler", "planning", "surrogates"}


def strategy_names() -> list[str]:
    """Every known strategy, sorted; none is imported."""
    files = {module.name for module in pkgutil.iter_modules(__path__)} - _NOT_STRATEGIES
    return sorted(files | {point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def strategy_class(name: str) -> type[Strategy]:
    """The class that `nas/strategies/<name>.py` (or an entry point) exports as `STRATEGY`.

    `WrongUse` with the nearest known name where there is none.
    """
    known = strategy_names()
    if name not in known:
        hint = did_you_mean(name, known) or "."
        raise WrongUse(f"unknown strategy '{name}'{hint} Known: {', '.join(known)}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            loaded: type[Strategy] = point.load()
            return loaded
    strategy: type[Strategy] = importlib.import_module(f"nas.strategies.{name}").STRATEGY
    return strategy
