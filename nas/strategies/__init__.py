"""Ways to propose architectures. One file is one strategy: its file name is its name, it exports `STRATEGY`."""

from importlib.metadata import entry_points

from nas.strategies.strategy import Strategy
from search_spaces.core.by_file import exported, file_names

ENTRY_POINT_GROUP = "fitnas.strategies"
_NOT_STRATEGIES = {"strategy", "around_front", "improvement", "moves", "optuna_sampler", "planning", "surrogates"}


def strategy_names() -> list[str]:
    """Every known strategy, sorted; none is imported."""
    others = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    return sorted(others.union(file_names(__path__, _NOT_STRATEGIES)))


def strategy_class(name: str) -> type[Strategy]:
    """The class that `nas/strategies/<name>.py` (or an entry point) exports as `STRATEGY`.

    `WrongUse` with the nearest known name where there is none.
    """
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            loaded: type[Strategy] = point.load()
            return loaded
    strategy: type[Strategy] = exported(__name__, name, "STRATEGY", "strategy", strategy_names())
    return strategy
