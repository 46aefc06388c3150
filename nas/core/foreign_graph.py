"""A network as a file of another program holds it: tensors by name, and what its operators read and make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

Attribute = int | float | str | tuple[int, ...]

LARGEST_FILE_BYTES = 256 << 20
MOST_OPERATORS, MOST_TENSORS = 20_000, 60_000
LARGEST_SIDE, LARGEST_TENSOR = 1 << 20, 1 << 30
"""Of a tensor, in elements: what the columns of an operator table hold."""


@dataclass(frozen=True)
class ForeignTensor:
    """`shape` in the file's own order, batch included; `kind` such as float32 or int8.

    `stored`: its values are in the file, those of a few integers (axes, paddings, shapes) in `values`.
    """

    shape: tuple[int, ...]
    kind: str
    stored: bool = False
    values: tuple[int, ...] | None = None

    @property
    def elements(self) -> int:
        """How many numbers it holds; 1 of a scalar."""
        return prod(self.shape)


@dataclass(frozen=True)
class ForeignNode:
    """One operator by the name that its format has for it; an input that is left out is ''."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class ForeignGraph:
    """Nodes in execution order; `inputs` and `outputs` are names of tensors, stored ones not among the inputs."""

    tensors: Mapping[str, ForeignTensor]
    nodes: tuple[ForeignNode, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
