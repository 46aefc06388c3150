"""Kinds of networks that can be stitched. One file is one kind: it exports `FAMILY`."""

import importlib

from search_spaces.core.by_file import file_names
from search_spaces.core.errors import WrongUse
from search_spaces.stitching.families.family import Family

__all__ = ["Family", "family_of"]

_NOT_FAMILIES = {"family"}
_FAMILIES: dict[str, Family] = {
    family.factory: family
    for family in (importlib.import_module(f"{__name__}.{name}").FAMILY for name in file_names(__path__, _NOT_FAMILIES))
}


def family_of(factory: str, name: str) -> Family:
    """The family whose networks a class of that name builds; `WrongUse` about the anchor `name` where there is none."""
    if factory not in _FAMILIES:
        known = ", ".join(f"{family.factory} ({family.where})" for family in _FAMILIES.values())
        raise WrongUse(f"the anchor {name} is a {factory}; stitched are {known}")
    return _FAMILIES[factory]
