"""The operators of Swin transformers, written for a whole population; no torch. Sizes are tokens x 1."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces.blocks.transformer_layers import halved, write_attention
from search_spaces.core.layer_table import Kind, LayerTable
from search_spaces.core.table_writer import TableWriter

_BIAS = 1
_IN_MERGING = 4  # tokens that become one
_OF_BLOCK = ("heads", "head_dim", "mlp", "merge")
Network = Mapping[str, Any]
Size = tuple[Any, Any]


def swins_table(networks: Sequence[Network]) -> LayerTable:
    """One row for each arguments of `SwinNetwork`.

    Rows differ in channels, blocks and stitches; picture, patch and classes are those of the first. Shifting, cutting
    into windows, padding and gathering 2x2 tokens are part of the operator that reads: they keep no tensor.
    """
    first = networks[0]
    writer = TableWriter(len(networks), *first["input_size"])
    kernel = first["patch"]["kernel"]
    size: Size = (writer.current.height // kernel, writer.current.width // kernel)
    dims = np.array([network["patch"]["out"] for network in networks])
    writer.write("patch.conv", Kind.CONV, dims, size, kernel=kernel, stride=kernel, channel_params=_BIAS)
    writer.flatten()
    writer.norm("patch.norm")
    stitches = [{spec["after"]: spec["out"] for spec in network.get("stitches", ())} for network in networks]
    for index in range(max(len(network["blocks"]) for network in networks)):
        size = _write_block(writer, index, networks, size)
        behind = np.array([own.get(index + 1, 0) for own in stitches])
        if behind.any():
            writer.linear(f"stitch{index + 1}", np.maximum(behind, 1), here=behind > 0)
    writer.norm("norm")
    writer.pool("pool")
    writer.linear("classifier", first["classes"])
    return writer.table()


def _write_block(writer: TableWriter, index: int, networks: Sequence[Network], size: Size) -> Size:
    """The block of that position in each network that has so many; returns the map's size behind it."""
    exists = np.array([len(network["blocks"]) > index for network in networks])
    here = True if exists.all() else exists
    specs = [network["blocks"][min(index, len(network["blocks"]) - 1)] for network in networks]
    heads, head_dim, mlp, merge = (np.array([spec.get(key, 0) for spec in specs]) for key in _OF_BLOCK)
    window = tuple(np.array([spec["window"][axis] for spec in specs]) for axis in (0, 1))
    name, merges = f"block{index}", exists & (merge > 0)
    if merges.any():
        size = _write_merging(writer, name, size, merge, merges)
    start, dim, tokens = writer.current, writer.current.channels, writer.current.height
    normed = writer.norm(f"{name}.norm1", here=here)
    whole = tuple(-(-side // each) * each for side, each in zip(size, window, strict=True))
    writer.view(normed, dim, whole[0] * whole[1], here=here)
    biases = (2 * window[0] - 1) * (2 * window[1] - 1)
    keys = window[0] * window[1]
    mixed = write_attention(writer, name, heads, heads * head_dim, keys, True, here, biases=biases)
    writer.view(mixed, dim, tokens, here=here)
    start = writer.add(f"{name}.add1", start, here=here)
    writer.norm(f"{name}.norm2", here=here)
    writer.linear(f"{name}.expand", mlp, here=here)
    writer.linear(f"{name}.contract", dim, here=here)
    writer.add(f"{name}.add2", start, here=here)
    return size


def _write_merging(writer: TableWriter, name: str, size: Size, out: Any, here: Any) -> Size:
    """Four tokens beside each other, a norm, a linear operator; returns the size behind it, where there is one."""
    half = halved(size)
    writer.view(writer.current, _IN_MERGING * writer.current.channels, half[0] * half[1], here=here)
    writer.norm(f"{name}.merging.norm", here=here)
    writer.linear(f"{name}.merging.reduce", np.maximum(out, 1), here=here, bias=False)
    return np.where(here, half[0], size[0]), np.where(here, half[1], size[1])
