"""Search spaces by name: one file is one space; other distributions add theirs by entry point."""

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

import search_spaces
from search_spaces.core.errors import WrongUse, did_you_mean
from search_spaces.core.space import SearchSpace

ENTRY_POINT_GROUP = "fitnas.search_spaces"
_NOT_SPACES = {"core", "blocks"}


def space_names() -> list[str]:
    """Every known space, sorted; none is imported."""
    files = {module.name for module in pkgutil.iter_modules(search_spaces.__path__)} - _NOT_SPACES
    return sorted(files | {point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def space_class(name: str) -> type[SearchSpace[Any]]:
    """The class that the file `search_spaces/<name>.py` (or an entry point) exports as `SPACE`.

    `WrongUse` with the nearest known name where there is none.
    """
    known = space_names()
    if name not in known:
        raise WrongUse(f"unknown space '{name}'{did_you_mean(name, known)} Known: {', '.join(known)}")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            loaded: type[SearchSpace[Any]] = point.load()
            return loaded
    module = importlib.import_module(f"search_spaces.{name}")
    space: type[SearchSpace[Any]] = module.SPACE
    return space
