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
_MULTIPLYING = (*_WEIGHTED, Kind.MATMUL)

Counts = NDArray[np.int64]


def products_by_slot(table: LayerTable) -> Counts:
    """Multiply-accumulates `(n, slots)` for one output position; of a weighted operator also its number of weights."""
    channels = table.in_channels.T.astype(np.int64)
    # one channel each; the general division costs as much as all else here
    channels[table.slots_of(Kind.DEPTHWISE)] = 1
    for slot in np.flatnonzero(table.mask_of(*_MULTIPLYING) & ~table.mask_of(Kind.DEPTHWISE)):
        groups = table.groups[:, slot]
        if groups.max(initial=1) > 1:
            channels[slot] //= groups
    channels *= table.out_channels.T
    channels *= (table.kernel * table.kernel).T
    channels[~table.mask_of(*_MULTIPLYING)] = 0
    return channels.T


def weights_by_slot(table: LayerTable) -> Counts:
    """Learned weights `(n, slots)`, without biases and norms."""
    products = products_by_slot(table)
    products.T[table.slots_of(Kind.MATMUL)] = 0
    return products


def macs_by_slot(table: LayerTable, products: Counts) -> Counts:
    """Multiply-accumulates `(n, slots)`, layer by layer."""
    positions = (table.out_height * table.out_width).T.astype(np.int64)
    positions *= products.T
    return positions.T


def counts(table: LayerTable, products: Counts) -> dict[str, Counts]:
    """`params`, `weight_bytes` and `flash_bytes` of each row.

    params = weights + the learned values per channel (batch norm 2, bias 1); flash = weights + 8 bytes per output
    channel of a weighted operator + `CODE_BYTES`.
    """
    weights = products.sum(axis=1) - products[:, table.slots_of(Kind.MATMUL)].sum(axis=1)
    channel_values = (table.out_channels * table.channel_params).sum(axis=1, dtype=np.int64)
    channels = table.out_channels[:, table.slots_of(*_WEIGHTED)].sum(axis=1, dtype=np.int64)
    return {
        "params": weights + channel_values,
        "weight_bytes": weights,
        "flash_bytes": weights + _BYTES_PER_CHANNEL * channels + CODE_BYTES,
    }
