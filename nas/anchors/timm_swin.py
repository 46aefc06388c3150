"""Swin transformers of timm as networks of ours."""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

T = TypeVar("T")

_IN_STAGE = re.compile(r"layers\.(?P<stage>\d+)\.(?:blocks\.(?P<block>\d+)|downsample)\.(?P<inside>.+)")
_OF_BLOCK = {
    "norm1": "norm1",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.project",
    "norm2": "norm2",
    "mlp.fc1": "expand",
    "mlp.fc2": "contract",
}
_OF_MERGING = {"norm": "merging.norm", "reduction": "merging.reduce"}
_REST = {
    "patch_embed.proj": "embedding.conv",
    "patch_embed.norm": "embedding.norm",
    "norm": "norm",
    "head.fc": "classifier",
}
_BIASES = {"attn.relative_position_bias_table": "attention.biases"}


def arguments_of(network: Any) -> dict[str, Any]:
    """Arguments of `SwinNetwork` for one of timm's, whose windows are already cut down to its maps."""
    patch = network.patch_embed
    return {
        "input_size": [patch.proj.in_channels, *patch.img_size],
        "patch": {"out": patch.proj.out_channels, "kernel": patch.proj.kernel_size[0]},
        "blocks": [
            _arguments_of_block(block, 0 if index else getattr(stage.downsample, "out_dim", 0))
            for stage in network.layers
            for index, block in enumerate(stage.blocks)
        ],
        "classes": network.num_classes,
    }


def _arguments_of_block(block: Any, merge: int) -> dict[str, Any]:
    heads = block.attn.num_heads
    spec = {
        "heads": heads,
        "head_dim": block.attn.qkv.out_features // (3 * heads),
        "mlp": block.mlp.fc1.out_features,
        "window": list(block.window_size),
        "shift": list(block.shift_size),
    }
    return {**spec, "merge": merge} if merge else spec


def renamed(state: Mapping[str, T], stages: Sequence[int]) -> dict[str, T]:
    """What timm calls so by our names, what is unknown by its own; `stages` are the numbers of their blocks.

    >>> renamed({"layers.1.downsample.norm.bias": 0, "layers.1.blocks.1.attn.qkv.bias": 1, "head.fc.bias": 2}, (2, 2))
    {'blocks.2.merging.norm.bias': 0, 'blocks.3.attention.qkv.bias': 1, 'classifier.bias': 2}
    """
    return {_renamed(name, [0, *accumulate(stages)]): value for name, value in state.items()}


def _renamed(name: str, starts: Sequence[int]) -> str:
    found = _IN_STAGE.fullmatch(name)
    if found is None:
        return _by_module(name, _REST)
    block, inside = found["block"], found["inside"]
    ours = _BIASES.get(inside) or _by_module(inside, _OF_MERGING if block is None else _OF_BLOCK)
    return f"blocks.{starts[int(found['stage'])] + int(block or 0)}.{ours}"


def _by_module(name: str, known: Mapping[str, str]) -> str:
    module, dot, leaf = name.rpartition(".")
    return f"{known.get(module, module)}{dot}{leaf}"
