"""Parts that are found by the name of their file: a folder is a kind of part, each file in it exports one."""

import importlib
import pkgutil
from collections.abc import Collection, Iterable
from typing import Any

from search_spaces.core.errors import WrongUse, unknown


def file_names(path: Iterable[str], but: Collection[str] = ()) -> list[str]:
    """Names of the modules and packages in a package's `__path__` but some, sorted; none is imported."""
    return sorted({module.name for module in pkgutil.iter_modules(path)}.difference(but))


def exported(package: str, name: str, export: str, what: str, known: Collection[str]) -> Any:
    """What `<package>/<name>.py` calls `export`.

    `WrongUse` where `name` is none of the `known` names of `what`, with the nearest of them.
    """
    if name not in known:
        raise WrongUse(unknown(what, name, known))
    return getattr(importlib.import_module(f"{package}.{name}"), export)
