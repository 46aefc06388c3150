"""Published networks of the family, also those outside our presets."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.blocks.transformer_layers import transformer_table
from search_spaces.core.space import Blueprint, PublishedMember
from search_spaces.vit.settings import PRESETS, Preset

_DEIT_SOURCE = "DeiT, arXiv 2012.12877, Table 1; as in timm 1.0.31 (Apache-2.0)"
_DEIT = {"deit_tiny": 192, "deit_small": 384, "deit_base": 768}
_AUTOFORMER_SOURCE = (
    "AutoFormer, arXiv 2107.00651; microsoft/Cream AutoFormer/experiments/subnet (MIT), released sub-network of {}"
)
# preset, channels of the tokens, heads and MLP ratio of each layer
_AUTOFORMER = {
    "autoformer_tiny": (
        "T", 192, (3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3),
        (3.5, 3.5, 3.0, 3.5, 3.0, 3.0, 4.0, 4.0, 3.5, 4.0, 3.5, 4.0, 3.5),
    ),
    "autoformer_small": (
        "S", 384, (6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7),
        (3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0),
    ),
    "autoformer_base": (
        "B", 576, (9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10),
        (3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5),
    ),
}  # fmt: skip
_INPUT, _PATCH, _CLASSES, _DEIT_LAYERS = (3, 224, 224), 16, 1000, 12


def network_arguments(
    preset: Preset,
    dim: int,
    heads: Sequence[int],
    ratios: Sequence[float],
    *,
    size: tuple[int, int, int] = _INPUT,
    patch: int = _PATCH,
    classes: int = _CLASSES,
) -> dict[str, Any]:
    """Those of `TransformerNetwork`; `heads` and `ratios` of each layer."""
    return {
        "input_size": list(size),
        "tokenizer": [tokenizer(dim, patch)],
        "layers": [
            {"heads": count, "head_dim": preset.head_dim, "mlp": int(ratio * dim)}
            for count, ratio in zip(heads, ratios, strict=True)
        ],
        "classes": classes,
        **preset.network,
    }


def tokenizer(dim: Any, patch: int) -> dict[str, Any]:
    """The one convolution that makes tokens of patches."""
    return {"out": dim, "kernel": patch, "stride": patch, "padding": 0, "bias": True, "pool": False}


def blueprint_of(arguments: dict[str, Any]) -> Blueprint:
    """The plain network of these arguments."""
    return Blueprint("search_spaces.blocks.transformer", "TransformerNetwork", arguments)


@functools.cache
def published_members() -> Mapping[str, PublishedMember]:
    """By name: `deit_tiny`, `deit_small`, `deit_base`, `autoformer_tiny`, `autoformer_small`, `autoformer_base`."""
    found = {}
    for name, dim in _DEIT.items():
        arguments = network_arguments(PRESETS[name], dim, [dim // 64] * _DEIT_LAYERS, [4.0] * _DEIT_LAYERS)
        found[name] = _member(name, _DEIT_SOURCE, arguments)
    for name, (preset, dim, heads, ratios) in _AUTOFORMER.items():
        arguments = network_arguments(PRESETS[preset], dim, heads, ratios)
        found[name] = _member(name, _AUTOFORMER_SOURCE.format(preset), arguments)
    return found


def _member(name: str, source: str, arguments: dict[str, Any]) -> PublishedMember:
    return PublishedMember(
        name, source, functools.partial(transformer_table, arguments), functools.partial(blueprint_of, arguments)
    )
