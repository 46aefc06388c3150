"""Pieces of C."""

import textwrap
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

WIDTH = 116


def numbers(values: Iterable[object], indent: str = "    ") -> str:
    """Numbers with commas between, in lines."""
    return textwrap.fill(", ".join(map(str, values)), WIDTH, initial_indent=indent, subsequent_indent=indent)


def array(declaration: str, values: NDArray[np.integer]) -> str:
    """A constant array of these values; `declaration`: type and name without brackets."""
    flat = values.reshape(-1)
    # the least int32 has no literal
    texts = ["INT32_MIN" if value == -(1 << 31) else str(value) for value in flat.tolist()]
    return f"{declaration}[{len(flat)}] = {{\n{numbers(texts)}\n}};\n"


def fields(**values: object) -> str:
    """A designated initialiser; `None` is NULL."""
    told = (f".{name} = {'NULL' if value is None else value}" for name, value in values.items())
    return "{" + ", ".join(told) + "}"


def comment(text: str) -> str:
    """One line, in which nothing can end the comment."""
    return "/* " + text.replace("*/", "* /") + " */"
