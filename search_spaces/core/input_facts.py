"""What a space may know about the data it will see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.core.errors import WrongUse


@dataclass(frozen=True)
class InputFacts:
    """Plain figures: channels (1 or 3), native height and width in pixels, classes, pictures."""

    channels: int
    height: int
    width: int
    classes: int
    pictures: int


def refuse_what_data_decide(options: Mapping[str, Any], *names: str) -> None:
    """`WrongUse` where one of these settings is given by hand."""
    for name in names:
        if name in options:
            raise WrongUse(f"'{name}' comes from the data and cannot be set")
