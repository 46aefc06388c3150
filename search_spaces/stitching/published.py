"""Published networks by name, without weights: those that an example or a comparison with a paper begins with."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from search_spaces.blocks.transformer_layers import halved

_SIDE = 224
_PATCH = {"kernel": 16, "stride": 16, "padding": 0, "bias": True, "pool": False}
_SWIN_PATCH, _SWIN_WINDOW, _SWIN_HEAD = 4, 7, 32
# The class of a network and its arguments, for pictures of so many channels.
Published = Callable[[int], tuple[str, dict[str, Any]]]


def transformer(dim: int, depth: int, heads: int, channels: int) -> tuple[str, dict[str, Any]]:
    """A plain vision transformer of patches of 16 pixels."""
    network = {
        "input_size": [channels, _SIDE, _SIDE],
        "tokenizer": [{"out": dim, **_PATCH}],
        "layers": [{"heads": heads, "head_dim": dim // heads, "mlp": 4 * dim} for _ in range(depth)],
        "classes": 1000,
    }
    return "TransformerNetwork", network


def swin(dim: int, depths: Sequence[int], channels: int) -> tuple[str, dict[str, Any]]:
    """A Swin transformer of patches of 4 pixels, windows of 7 x 7 tokens and heads of 32 channels.

    Every second block shifts its windows by half, where the map is larger than one.
    """
    side, blocks = _SIDE // _SWIN_PATCH, list[dict[str, Any]]()
    for stage, depth in enumerate(depths):
        side = halved((side, side))[0] if stage else side
        width = dim * 2**stage
        window, shift = min(side, _SWIN_WINDOW), _SWIN_WINDOW // 2 if side > _SWIN_WINDOW else 0
        blocks += [
            {
                "heads": width // _SWIN_HEAD,
                "head_dim": _SWIN_HEAD,
                "mlp": 4 * width,
                "window": [window, window],
                "shift": [shift * (number % 2)] * 2,
                **({"merge": width} if stage and not number else {}),
            }
            for number in range(depth)
        ]
    network = {
        "input_size": [channels, _SIDE, _SIDE],
        "patch": {"out": dim, "kernel": _SWIN_PATCH},
        "blocks": blocks,
        "classes": 1000,
    }
    return "SwinNetwork", network


# DeiT, arXiv 2012.12877; DeiT III, arXiv 2204.07118, the scales of whose layers are multiplied into their weights, and
# the position of whose class token is zero; Swin, arXiv 2103.14030; all as in timm 1.0.31 (Apache-2.0).
PUBLISHED: dict[str, Published] = {
    "deit_tiny": partial(transformer, 192, 12, 3),
    "deit_small": partial(transformer, 384, 12, 6),
    "deit_base": partial(transformer, 768, 12, 12),
    "deit3_small": partial(transformer, 384, 12, 6),
    "deit3_base": partial(transformer, 768, 12, 12),
    "deit3_large": partial(transformer, 1024, 24, 16),
    "swin_tiny": partial(swin, 96, (2, 2, 6, 2)),
    "swin_small": partial(swin, 96, (2, 2, 18, 2)),
    "swin_base": partial(swin, 128, (2, 2, 18, 2)),
}
