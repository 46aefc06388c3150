"""Exact counts from the operator table: multiply-accumulates, parameters, bytes of weights and flash.

Convention of MACs: convolutions, linear layers and matrix products; batch norm, activation, pooling and addition count
nothing. Weights are int8 (1 byte each).
"""

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.layer_table import Kind, LayerTable

CODE_BYTES = 64 * 1024
"""Program beside the weights until a build measures it: published flash of MCUNet on an STM32H743 less the sum of
its tensors is 63, 65 and 63 KiB (mit-han-lab/tinyengine README)."""

_BYTES_PER_CHANNEL = 8  # int32 bias and float32 requantisation scale (tinyengine's code generator)
_WEIGHTED = (Kind.CONV, Kind.DEPTHWISE, Kind.LINEAR)

Counts = NDArray[np.int64]


def weights_by_slot(table: LayerTable) -> Counts:
    """Learned weights `(n, slots)`, without biases and norms; for one output position also the MACs."""
    weighted = table.of_kind(*_WEIGHTED)
    fan_in = table.in_channels // np.maximum(table.groups, 1)
    per_channel = fan_in.astype(np.int64) * (table.kernel * table.kernel)
    return np.where(weighted, per_channel * table.out_channels, 0)


def macs_by_slot(table: LayerTable, weights: Counts) -> Counts:
    """Multiply-accumulates `(n, slots)`, layer by layer."""
    positions: Counts = table.out_height * table.out_width
    return weights * positions


def counts(table: LayerTable, weights: Counts) -> dict[str, Counts]:
    """`params`, `weight_bytes` and `flash_bytes` of each row.

    params = weights + the learned values per channel (batch norm 2, bias 1); flash = weights + 8 bytes per output
    channel of a weighted operator + `CODE_BYTES`.
    """
    weighted = table.of_kind(*_WEIGHTED)
    weight_count = weights.sum(axis=1)
    channel_values = (table.out_channels * table.channel_params).sum(axis=1, dtype=np.int64)
    channels = np.where(weighted, table.out_channels, 0).sum(axis=1, dtype=np.int64)
    return {
        "params": weight_count + channel_values,
        "weight_bytes": weight_count,
        "flash_bytes": weight_count + _BYTES_PER_CHANNEL * channels + CODE_BYTES,
    }
