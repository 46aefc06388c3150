"""What the code that TinyEngine generates allocates (mit-han-lab/tinyengine, MIT)."""

import numpy as np

from predictors.hardware.memory.rule import Bytes, MemoryRule, Scratch
from search_spaces.core.layer_table import Kind, LayerTable


def _column_buffer(table: LayerTable) -> Bytes:
    """Two int16 columns of a convolution's patch of inputs: 4 * k * k * in_channels bytes."""
    area: Bytes = table.kernel * table.kernel
    return np.where(table.of_kind(Kind.CONV), 4 * area * table.in_channels, 0)


def _kernel_buffer(table: LayerTable) -> Bytes:
    """An int16 copy of the largest convolution kernel beyond 1x1: 2 * k * k * in * out bytes."""
    large = table.of_kind(Kind.CONV) & (table.kernel > 1)
    area: Bytes = table.kernel * table.kernel
    return np.where(large, 2 * area * table.in_channels * table.out_channels, 0).max(axis=1)


RULE = MemoryRule(
    runtime="tinyengine",
    title="depthwise in place, residual held through the addition, column and kernel buffers, sizes in multiples of 4",
    source="tinyengine code_generator: operators/conv2d.py, depthwiseConv2d.py, GeneralMemoryScheduler.py @47bb283; "
    "a gate's multiplication is taken as in place, which is not published",
    in_place=frozenset({Kind.DEPTHWISE, Kind.MULTIPLY}),
    accumulates=False,
    alignment=4,
    scratch=Scratch(by_slot=_column_buffer, padded_map_bytes=2, constant=_kernel_buffer),
)
