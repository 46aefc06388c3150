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
    """A constant array of these values, with one or two axes; `declaration`: type and name without brackets."""
    # the least int32 has no literal
    rows = [["INT32_MIN" if value == -(1 << 31) else str(value) for value in row] for row in np.atleast_2d(values)]
    sides = "".join(f"[{side}]" for side in values.shape)
    if values.ndim == 1:
        return f"{declaration}{sides} = {{\n{numbers(rows[0])}\n}};\n"
    lines = ",\n".join(f"    {{\n{numbers(row, ' ' * 8)}}}" for row in rows)
    return f"{declaration}{sides} = {{\n{lines}}};\n"


def fields(**values: object) -> str:
    """A designated initialiser; `None` is NULL."""
    told = (f".{name} = {'NULL' if value is None else value}" for name, value in values.items())
    return "{" + ", ".join(told) + "}"


def comment(text: str) -> str:
    """One line, in which nothing can end the comment."""
    return "/* " + text.replace("*/", "* /") + " */"
