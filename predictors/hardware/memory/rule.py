"""What a memory rule states. All rules: int8 activations, one byte an element; a tensor lives from the operator that
makes it to the last that reads it; while an operator runs, its inputs, its output and all tensors held for later count.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictors.hardware.counts import BYTES_PER_CHANNEL
from search_spaces.core.layer_table import Kind, LayerTable

Bytes = NDArray[np.int64]


@dataclass(frozen=True)
class Scratch:
    """Buffers beside the activations, shared by all operators, so that the largest counts.

    `by_slot`: bytes `(n, slots)` of the buffer whose need does not depend on the schedule, largest counts.
    `padded_map_bytes`: bytes an element of the input map, padded by kernel // 2, that a depthwise convolution copies;
    in a patch stage the map is the patch's. It shares its place with `by_slot`.
    `constant`: bytes `(n,)` added to every schedule.
    """

    by_slot: Callable[[LayerTable], Bytes]
    padded_map_bytes: int
    constant: Callable[[LayerTable], Bytes]


@dataclass(frozen=True)
class Planned:
    """What a runtime itself decides: the arena by a plan of its own, image included, or the code of its programs.

    `bytes_of`: bytes `(n,)`. `at_least`: bytes `(n,)` that no network with these operators, or more and larger ones,
    can undercut. A plan by rules of thumb can need less where a tensor grows, so that its own figure is no such bound.
    """

    bytes_of: Callable[[LayerTable], Bytes]
    at_least: Callable[[LayerTable], Bytes]


@dataclass(frozen=True)
class PatchLimits:
    """Which patch schedules a runtime's generator accepts: square maps that the grid divides without rest, and these.

    `first`: kernel, stride and input channels of the first convolution. `depthwise_kernel`: of every depthwise
    convolution inside the stage. `largest_stride`: of any operator there.
    """

    first: tuple[int, int, int]
    depthwise_kernel: int
    largest_stride: int

    def __str__(self) -> str:
        side, depthwise = self.first[0], self.depthwise_kernel
        return (
            "which takes square maps that the grid divides without rest, a first convolution "
            f"{side} x {side} of stride {self.first[1]} on {self.first[2]} channels, and {depthwise} x {depthwise} "
            "depthwise kernels inside patches"
        )

    def stages(self, table: LayerTable) -> NDArray[np.bool_]:
        """Slots `(slots, n)` up to which every operator is accepted, with the first one."""
        kernel, stride = table.kernel.T, table.stride.T
        refused = self.largest_stride < stride
        refused |= table.mask_of(Kind.DEPTHWISE)[:, None] & (kernel != self.depthwise_kernel)
        refused &= table.present.T
        if table.slots:
            own = np.stack([kernel[0], stride[0], table.in_channels[:, 0]])
            refused[0] |= (own != np.array(self.first)[:, None]).any(axis=0)
        result: NDArray[np.bool_] = ~np.logical_or.accumulate(refused, axis=0)
        return result


@dataclass(frozen=True)
class MemoryRule:
    """How one runtime uses SRAM.

    `in_place`: operators that write their output over their first input, where it is not larger than that and nobody
    reads the input later. `accumulates`: kinds of operators that, right before an addition that they feed by the first
    input, write onto the addition's second input, so that their output needs no bytes; not where somebody else reads
    their output or, later, that second input. `plane`: a depthwise convolution in place copies one channel's padded map
    at a time beside it, rows of a multiple of 4 bytes; where that is no smaller than its output, it is not in place.
    `clips`: patches at the border of a map are neither stored nor computed beyond it, and the split's output is written
    straight into its whole buffer; else every patch has the full, padded size, and a buffer of its own at the split.
    `alignment`: sizes of tensors and buffers are rounded up to it. Where patches are not clipped, a patch's tensor
    counts alignment - 1 bytes more where its channels are no multiple, which is exact or a few bytes above. `widths`:
    those of operators that it executes, by name (see `search_spaces.core.policy.width`). `planned`: of a runtime that
    executes layer by layer alone and lays memory out by a plan of its own, which is then the peak. `lacks`: operators
    of spaces here that it does not execute in int8. `generator`: the patch schedules that its own code generator
    accepts; None where that takes all that are priced.
    """

    runtime: str
    title: str
    source: str
    in_place: frozenset[Kind]
    accumulates: frozenset[Kind] = frozenset()
    alignment: int = 1
    scratch: Scratch | None = None
    widths: tuple[str, ...] = ("int8",)
    planned: Planned | None = None
    lacks: frozenset[Kind] = frozenset()
    generator: PatchLimits | None = None
    code: Planned | None = None
    channel_bytes: int = BYTES_PER_CHANNEL
    plane: bool = False
    clips: bool = False
