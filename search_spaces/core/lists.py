"""Settings that are lists of numbers, as `--set key=8,16,24` gives them."""

from itertools import pairwise
from typing import Any


def numbers(value: Any) -> Any:
    """Parts of a text between commas; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def rising(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values; `ValueError` unless each is larger than the one before."""
    if any(a >= b for a, b in pairwise(values)):
        raise ValueError("expected rising numbers, each once")
    return values
