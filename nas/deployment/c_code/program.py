"""A network as C executes it: tensors of int8 pixels, operators in order, every number as NumPy or plain Python.

Weights are in plain order: output channel, row, column, input channel (of the group); a depthwise convolution's
channel, row, column; a linear operator's output, input.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FARTHEST = 22


@dataclass(frozen=True)
class Map:
    """A tensor of int8: rows of pixels, the channels of a pixel beside each other. A vector is one pixel."""

    name: str
    height: int
    width: int
    channels: int

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.height * self.width * self.channels


@dataclass(frozen=True)
class Bounded:
    """What comes behind a requantization: the zero point is added, the result cut off at least and most."""

    zero_point: int
    least: int
    most: int


@dataclass(frozen=True)
class Window:
    """What an output reads. `top`, `left`: rows and columns of padding before the first pixel."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    top: int
    left: int


@dataclass(frozen=True, eq=False)
class Weights:
    """`integers`: int8 in plain order, of which `bits` count (8 or 4). `bias`, `multipliers` int32, `shifts` int8, one
    a channel; the bias holds the input's zero point already (see kernels/operators.h).
    """

    integers: NDArray[np.int8]
    bits: int
    bias: NDArray[np.int32]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.int8]
    input_zero_point: int
    output: Bounded

    @property
    def right(self) -> bool:
        """Whether every sum is shifted to the right, as it is unless one step of it is most of an output's step; and so
        little that a zero point shifted to the left has room in 32 bits.
        """
        return bool(((self.shifts < 0) & (self.shifts >= -_FARTHEST)).all())


@dataclass(frozen=True)
class Scaling:
    """A real factor as multiplier x 2^(shift - 31)."""

    multiplier: int
    shift: int


@dataclass(frozen=True)
class Addition:
    """ADD's numbers: zero point and factor of each input, factor and bounds of the sum."""

    zero_points: tuple[int, int]
    factors: tuple[Scaling, Scaling]
    factor: Scaling
    output: Bounded


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Reads `inputs`, makes `output`. `name`: of the operator in the network's table where it has one.

    `lookups`: functions of one element, int8 `(256,)` each, that follow in place.
    """

    name: str
    inputs: tuple[Map, ...]
    output: Map
    lookups: tuple[NDArray[np.int8], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Convolution(Operator):
    """Any kernel. With `addition` a second input, as large as the output, is added to it."""

    window: Window
    weights: Weights
    groups: int = 1
    addition: Addition | None = None

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel reads one input pixel, the same one."""
        return self.window == Window((1, 1), (1, 1), 0, 0) and self.groups == 1


@dataclass(frozen=True, kw_only=True)
class Depthwise(Operator):
    """One kernel a channel."""

    window: Window
    weights: Weights


@dataclass(frozen=True, kw_only=True)
class FullyConnected(Operator):
    """Of one pixel."""

    weights: Weights


@dataclass(frozen=True, kw_only=True)
class Add(Operator):
    """Of two maps of one size."""

    addition: Addition


@dataclass(frozen=True, kw_only=True)
class Multiply(Operator):
    """Of a map and another, or one pixel that counts for all."""

    zero_points: tuple[int, int]
    factor: Scaling
    bounds: Bounded


@dataclass(frozen=True, kw_only=True)
class Mean(Operator):
    """Over height and width; `factor` of the sum."""

    zero_point: int
    factor: Scaling
    bounds: Bounded


@dataclass(frozen=True, kw_only=True)
class Pool(Operator):
    """The largest of each window, or its mean."""

    window: Window
    largest: bool
    bounds: Bounded


@dataclass(frozen=True, kw_only=True)
class Lookup(Operator):
    """A function of one element, `table` int8 `(256,)`, the least integer's value first."""

    table: NDArray[np.int8]


@dataclass(frozen=True)
class Program:
    """`operators` in execution order, from `input` to `output`."""

    operators: tuple[Operator, ...]
    input: Map
    output: Map

    def readers(self, name: str) -> list[int]:
        """Positions of the operators that read a tensor."""
        return [i for i, each in enumerate(self.operators) if name in {source.name for source in each.inputs}]

    def replaced(self, operators: Sequence[Operator]) -> "Program":
        """The same network with other operators."""
        return Program(tuple(operators), self.input, self.output)
