"""Exact counts from the operator table: multiply-accumulates, parameters, bytes of weights and flash.

Three conventions of MACs circulate (`MAC_CONVENTIONS`); activations and additions count nothing in any of them.
Weights are int8 (1 byte each) unless a quantization policy says otherwise.
"""

import numpy as np
from numpy.typing import NDArray

from search_spaces.core.errors import WrongUse, unknown
from search_spaces.core.layer_table import WEIGHTED, Kind, LayerTable

CODE_BYTES = 64 * 1024
"""Program beside the weights until a build measures it: published flash of MCUNet on an STM32H743 less the sum of
its tensors is 63, 65 and 63 KiB (mit-han-lab/tinyengine README)."""

BYTES_PER_CHANNEL = 8  # int32 bias and float32 requantisation scale (tinyengine's code generator)
_FLOAT_BYTES = 4
_INT8 = 8
# Their learned values are tensors: position embeddings, class tokens, scales, biases of attention scores.
_CONSTANT = (Kind.ADD, Kind.CONCAT, Kind.MULTIPLY, Kind.MATMUL, Kind.OTHER)
_MULTIPLYING = (*WEIGHTED, Kind.MATMUL)

PRODUCTS = "products"
MAC_CONVENTIONS = {
    "conv-linear": "convolutions and linear layers",
    PRODUCTS: "convolutions, linear layers and matrix products",
    "fvcore": "convolutions, linear layers, matrix products, norms and the last pooling of a map, as in fvcore",
}
_BATCH_NORM_PARAMS = 2
_FVCORE_BATCH_NORM, _FVCORE_LAYER_NORM = 2, 5  # multiply-accumulates an element

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
    channels *= table.kernel_area.T
    channels[~table.mask_of(*_MULTIPLYING)] = 0
    return channels.T


def weights_by_slot(table: LayerTable) -> Counts:
    """Learned weights `(n, slots)`, without biases and norms."""
    products = products_by_slot(table)
    products.T[table.slots_of(Kind.MATMUL)] = 0
    return products


def work_by_slot(table: LayerTable, products: Counts, convention: str) -> Counts:
    """What counts as multiply-accumulates `(n, slots)` for one output position; `WrongUse` for an unknown convention.

    `fvcore` counts what its FlopCountAnalysis does of timm's models: 2 an element of a batch norm, 5 of a layer norm, 1
    an element of the input of the last pooling where that is one of a map. A mean of tokens counts nothing there, nor
    does a pooling inside squeeze-excite.
    """
    if convention not in MAC_CONVENTIONS:
        raise WrongUse(unknown("MAC convention", convention, MAC_CONVENTIONS))
    if convention == PRODUCTS:
        return products
    work = products.copy()
    if convention == "conv-linear":
        work[:, table.slots_of(Kind.MATMUL)] = 0
        return work
    normed = table.mask_of(Kind.CONV, Kind.DEPTHWISE) & (table.channel_params == _BATCH_NORM_PARAMS)
    work += _FVCORE_BATCH_NORM * table.out_channels * normed
    norms, pools = table.slots_of(Kind.NORM), table.slots_of(Kind.POOL)
    work[:, norms] = _FVCORE_LAYER_NORM * table.out_channels[:, norms]
    for slot in pools:
        last = not any(kind == Kind.CONV for kind in table.kinds[slot + 1 :]) and (table.kernel[:, slot] == 1)
        tokens = (table.in_width[:, slot] == 1) & (table.in_height[:, slot] > 1)
        work[:, slot] = last * ~tokens * table.in_channels[:, slot] * table.in_height[:, slot] * table.in_width[:, slot]
    return work


def macs_by_slot(table: LayerTable, work: Counts) -> Counts:
    """Multiply-accumulates `(n, slots)`, layer by layer, of `work` for one output position."""
    positions = (table.out_height * table.out_width).T.astype(np.int64)
    positions *= work.T
    return positions.T


def counts(
    table: LayerTable,
    products: Counts,
    channel_bytes: int = BYTES_PER_CHANNEL,
    code_bytes: Counts | int = CODE_BYTES,
) -> dict[str, Counts]:
    """`params`, `weight_bytes` and `flash_bytes` of each row.

    params = weights + the learned values per channel (norm 2, bias 1, embeddings one a token); flash = weights, those
    of embeddings among them, + `channel_bytes` per output channel of a weighted operator or a norm of its own +
    `code_bytes`, which may be `(n,)`.
    Under a quantization policy `weight_bytes` is what a file holds: weights packed at their widths, 4 bytes a scale of
    them, a bias (batch norms are folded) and any other learned value.
    """
    weights = products.sum(axis=1) - products[:, table.slots_of(Kind.MATMUL)].sum(axis=1)
    channel_values = table.out_channels * table.channel_params
    constants = channel_values[:, table.slots_of(*_CONSTANT)].sum(axis=1, dtype=np.int64)
    params = weights + channel_values.sum(axis=1, dtype=np.int64)
    packed = weights if table.widths is None else packed_bytes_by_slot(table, products).sum(axis=1)
    channels = table.out_channels[:, table.slots_of(*WEIGHTED, Kind.NORM)].sum(axis=1, dtype=np.int64)
    size = packed + constants
    if table.widths is not None:
        size = packed + _FLOAT_BYTES * (table.widths.scales.sum(axis=1, dtype=np.int64) + _other_values(table))
    return {
        "params": params,
        "weight_bytes": size,
        "flash_bytes": packed + constants + channel_bytes * channels + code_bytes,
    }


def packed_bytes_by_slot(table: LayerTable, products: Counts) -> Counts:
    """Bytes `(n, slots)` of the weights at their widths, those of each operator packed without gaps."""
    bits = products * (_INT8 if table.widths is None else table.widths.weight_bits)
    bits[:, table.slots_of(Kind.MATMUL)] = 0
    packed: Counts = -(-bits // 8)
    return packed


def bitops(table: LayerTable, macs: Counts) -> Counts:
    """Bit operations `(n,)`, layer by layer: multiply-accumulates times the bits of both factors (HAWQ, HAQ).

    `macs` `(n, slots)`. A matrix product's factors are both activations.
    """
    if table.widths is None:
        return np.asarray(_INT8 * _INT8 * macs.sum(axis=1), dtype=np.int64)
    first = table.widths.input_bits
    second = np.where(table.mask_of(Kind.MATMUL), first, table.widths.weight_bits)
    return np.asarray((macs * first * second).sum(axis=1), dtype=np.int64)


def _other_values(table: LayerTable) -> Counts:
    """Learned values `(n,)` of a file beside weights and scales: a bias a channel, norms, embeddings."""
    weighted = table.mask_of(*WEIGHTED)
    per_channel = np.where(weighted, np.minimum(table.channel_params, 1), table.channel_params)
    return np.asarray((table.out_channels * per_channel).sum(axis=1), dtype=np.int64)
