"""Search spaces by name: one file is one space; other distributions add theirs by entry point."""

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

import search_spaces
from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.space import SearchSpace

ENTRY_POINT_GROUP = "fitnas.search_spaces"
_NOT_SPACES = {"core", "blocks"}


def space_names() -> list[str]:
    """Every known space, sorted; none is imported."""
    return sorted(_files() | {point.name for point in entry_points(group=ENTRY_POINT_GROUP)})


def space_class(name: str) -> type[SearchSpace[Any]]:
    """The class that `search_spaces/<name>.py` exports as `SPACE`, or that an entry point names; our own files first.

    `WrongUse` with the nearest known name where there is none.
    """
    if name in _files():
        space: type[SearchSpace[Any]] = importlib.import_module(f"search_spaces.{name}").SPACE
        return space
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            loaded: type[SearchSpace[Any]] = point.load()
            return loaded
    raise WrongUse(unknown("space", name, space_names()))


def _files() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(search_spaces.__path__)} - _NOT_SPACES
