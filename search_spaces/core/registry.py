"""Search spaces by name: one file is one space; other distributions add theirs by entry point.

`mcunetv2+recipe` names a space with more choices: `search_spaces/combinators/recipe.py` over `mcunetv2`.
"""

import functools
import importlib
from importlib.metadata import entry_points
from typing import Any

import search_spaces
import search_spaces.combinators
from search_spaces.core.by_file import exported, file_names
from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.space import SearchSpace

ENTRY_POINT_GROUP = "fitnas.search_spaces"
_NOT_SPACES = {"core", "blocks", "combinators", "stitching"}


def space_names() -> list[str]:
    """Every known space, sorted; none is imported."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)}.union(_files()))


def space_class(name: str) -> type[SearchSpace[Any]]:
    """The class that `search_spaces/<name>.py` exports as `SPACE`, or that an entry point names; our own files first.

    `NAME+COMBINATOR` is that space extended. `WrongUse` with the nearest known name where there is none.
    """
    base, plus, combinator = name.rpartition("+")
    if plus:
        return _extended(base, combinator)
    if name in _files():
        space: type[SearchSpace[Any]] = importlib.import_module(f"search_spaces.{name}").SPACE
        return space
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            loaded: type[SearchSpace[Any]] = point.load()
            return loaded
    raise WrongUse(unknown("space", name, space_names()))


def combinator_names() -> list[str]:
    """What every space can be extended by, sorted; none is imported."""
    return file_names(search_spaces.combinators.__path__)


@functools.cache
def _extended(base: str, combinator: str) -> type[SearchSpace[Any]]:
    """The combinator's class over the space `base`; the same class at every call."""
    package = search_spaces.combinators.__name__
    kind: Any = exported(package, combinator, "COMBINATOR", "combinator", combinator_names())
    inner = space_class(base)
    told = {
        "inner_class": inner,
        "name": f"{base}+{combinator}",
        "title": f"{inner.title}; with {combinator}",
        "source": inner.source,
        "default_runtime": inner.default_runtime,
        "learning_rate": inner.learning_rate,
    }
    extended: type[SearchSpace[Any]] = type(f"{inner.__name__}{kind.__name__}", (kind,), told)
    return extended


def _files() -> list[str]:
    return file_names(search_spaces.__path__, _NOT_SPACES)
