"""What every format is read into: operators that say what they do to which tensors, in execution order."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int, int, int]
"""Channels, height, width of one picture's tensor; tokens x 1 where it has no map."""


class Task(enum.Enum):
    """What an operator does, as far as its price goes."""

    CONV = "convolution, depthwise and grouped ones too"
    LINEAR = "linear map of the last axis"
    MATMUL = "product of two computed tensors"
    NORM = "normalisation with statistics of its own input"
    POOL = "mean or maximum of windows, or of whole axes"
    ADD = "sum or difference, element by element"
    MULTIPLY = "any other function, element by element"
    CONCAT = "its inputs one after the other"
    VIEW = "the same bytes under another shape"
    PAD = "its input with a border"
    MOVE = "its input's elements in other places: transposed, cut, repeated"
    UNKNOWN = "not known: its tensors count, its multiply-accumulates are missing"


ELEMENTWISE = (Task.ADD, Task.MULTIPLY)


@dataclass(frozen=True)
class Operator:
    """One operator with one output. `inputs`: names of the computed tensors that it reads, stored ones left out.

    `kernel`, `stride`, `dilation`: (height, width). `learned`: stored numbers beside the weights of a convolution or
    linear map: biases, scales, embeddings; of an unknown operator all that it stores. `label`: the format's own name.
    A product of tensors has as `in_shape` (k, rows, 1) of its first factor, as `out_shape` (columns, rows, 1).
    """

    label: str
    task: Task
    inputs: tuple[str, ...]
    output: str
    in_shape: Shape
    out_shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    learned: int = 0


@dataclass(frozen=True)
class ForeignNetwork:
    """A file's network: its operators, the tensors that are its image and its answers, how its numbers are stored.

    `notes`: what a person should know of how the file was read.
    """

    operators: tuple[Operator, ...]
    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    numbers: str
    notes: tuple[str, ...] = ()
