"""The operators of TinyViT networks, written for a whole population; no torch."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from search_spaces.blocks.transformer_layers import write_attention
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.table_writer import TableWriter

STAGES = 4


def sides_of(side: int) -> tuple[int, ...]:
    """Pixels along a side of each stage's map for so many pixels of the picture.

    >>> sides_of(224)
    (56, 28, 14, 7)
    """
    return tuple(math.ceil(side / (4 * 2**stage)) for stage in range(STAGES))


def write_tinyvit(writer: TableWriter, stages: Sequence[dict[str, Any]], expand: Any, classes: int) -> LayerTable:
    """`stages` as in `TinyVitNetwork`; every number may be an array `(n,)`."""
    first = stages[0]["dim"]
    mid = np.asarray(first * expand).astype(np.int32)
    writer.conv("stem0", first // 2, 3, 2)
    writer.conv("stem1", first, 3, 2)
    for index in range(_most(stages[0]["depth"])):
        _mbconv(writer, f"stage1.block{index}", mid, _here(stages[0]["depth"], index))
    for number, stage in enumerate(stages[1:], start=2):
        writer.conv(f"stage{number}.merge.expand", stage["dim"])
        writer.depthwise(f"stage{number}.merge.depthwise", 3, 2)
        writer.conv(f"stage{number}.merge.project", stage["dim"])
        for index in range(_most(stage["depth"])):
            _attention_block(writer, f"stage{number}.block{index}", stage, _here(stage["depth"], index))
    writer.pool("pool")
    writer.norm("norm")
    writer.linear("classifier", classes)
    return writer.table()


def _most(depth: Any) -> int:
    return int(np.max(depth, initial=0))


def _here(depth: Any, index: int) -> Any:
    exists = np.asarray(depth) > index
    return True if exists.all() else exists


def _mbconv(writer: TableWriter, name: str, mid: Any, here: Any) -> None:
    start = writer.current
    writer.conv(f"{name}.expand", mid, here=here)
    writer.depthwise(f"{name}.depthwise", 3, here=here)
    writer.conv(f"{name}.project", start.channels, here=here)
    writer.add(f"{name}.add", start, here=here)


def _attention_block(writer: TableWriter, name: str, stage: dict[str, Any], here: Any) -> None:
    start = writer.current
    writer.flatten()
    writer.norm(f"{name}.norm1", here=here)
    keys = stage["window"] * stage["window"]
    write_attention(writer, name, stage["heads"], stage["dim"], keys, True, here, biases=keys)
    writer.reshape(start)
    writer.add(f"{name}.add1", start, here=here)
    writer.depthwise(f"{name}.local", 3, here=here)
    tokens = writer.flatten()
    writer.norm(f"{name}.norm2", here=here)
    writer.linear(f"{name}.expand", stage["mlp"], here=here)
    writer.linear(f"{name}.contract", stage["dim"], here=here)
    writer.add(f"{name}.add2", tokens, here=here)
    writer.reshape(start)
