"""What the code that TinyEngine generates allocates (mit-han-lab/tinyengine, MIT)."""

import numpy as np

from predictors.hardware.memory.rule import Bytes, MemoryRule, PatchLimits, Scratch
from search_spaces.core.layer_table import Kind, LayerTable


def _column_buffer(table: LayerTable) -> Bytes:
    """Two int16 columns of a convolution's patch of inputs: 4 * k * k * in_channels bytes."""
    column: Bytes = 4 * table.kernel_area * table.in_channels * table.mask_of(Kind.CONV)
    return column


def _kernel_buffer(table: LayerTable) -> Bytes:
    """An int16 copy of the largest convolution kernel beyond 1x1: 2 * k * k * in * out bytes."""
    slots = [slot for slot in table.slots_of(Kind.CONV) if table.kernel_area[:, slot].max(initial=1) > 1]
    area = table.kernel_area[:, slots].astype(np.int64)
    copies: Bytes = 2 * area * (area > 1) * table.in_channels[:, slots] * table.out_channels[:, slots]
    largest: Bytes = copies.max(axis=1, initial=0)
    return largest


RULE = MemoryRule(
    runtime="tinyengine",
    title="depthwise in place, residual held through the addition, column and kernel buffers, sizes in multiples of 4",
    source="tinyengine code_generator: operators/conv2d.py, depthwiseConv2d.py, GeneralMemoryScheduler.py @47bb283; "
    "a gate's multiplication is taken as in place, which is not published",
    in_place=frozenset({Kind.DEPTHWISE, Kind.MULTIPLY}),
    alignment=4,
    generator=PatchLimits(first=(3, 2, 3), depthwise_kernel=3, largest_stride=2),
    scratch=Scratch(by_slot=_column_buffer, padded_map_bytes=2, constant=_kernel_buffer),
)
