"""Kinds of networks that can be stitched. One file is one kind: it exports `FAMILY`."""

from search_spaces.core.errors import WrongUse
from search_spaces.stitching.families import mbconv, transformer
from search_spaces.stitching.families.family import Family

__all__ = ["Family", "family_of"]

_FAMILIES: dict[str, Family] = {module.FAMILY.factory: module.FAMILY for module in (transformer, mbconv)}


def family_of(factory: str, name: str) -> Family:
    """The family whose networks a class of that name builds; `WrongUse` about the anchor `name` where there is none."""
    if factory not in _FAMILIES:
        known = ", ".join(f"{family.factory} ({family.where})" for family in _FAMILIES.values())
        raise WrongUse(f"the anchor {name} is a {factory}; stitched are {known}")
    return _FAMILIES[factory]
