"""Published networks of the family, also those outside our presets."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from search_spaces.blocks.transformer_layers import transformer_table
from search_spaces.core.choice import Option, misfits
from search_spaces.core.space import Blueprint, PublishedMember
from search_spaces.vit.settings import PRESETS, Preset

_DEIT = "DeiT, arXiv 2012.12877, Table 1; as in timm 1.0.31 (Apache-2.0)"
_AUTOFORMER = "AutoFormer, arXiv 2107.00651; microsoft/Cream AutoFormer/experiments/subnet/AutoFormer-{}.yaml (MIT)"


class _Published(NamedTuple):
    """The preset it was published with, channels of the tokens, heads and MLP ratio of each layer."""

    source: str
    preset: str
    dim: int
    heads: tuple[int, ...]
    ratios: tuple[float, ...]


_NETWORKS = {
    "deit_tiny": _Published(_DEIT, "deit_tiny", 192, (3,) * 12, (4.0,) * 12),
    "deit_small": _Published(_DEIT, "deit_small", 384, (6,) * 12, (4.0,) * 12),
    "deit_base": _Published(_DEIT, "deit_base", 768, (12,) * 12, (4.0,) * 12),
    "autoformer_tiny": _Published(
        _AUTOFORMER.format("T"), "T", 192, (3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3),
        (3.5, 3.5, 3.0, 3.5, 3.0, 3.0, 4.0, 4.0, 3.5, 4.0, 3.5, 4.0, 3.5),
    ),
    "autoformer_small": _Published(
        _AUTOFORMER.format("S"), "S", 384, (6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7),
        (3.0, 3.5, 3.0, 3.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.5, 4.0),
    ),
    "autoformer_base": _Published(
        _AUTOFORMER.format("B"), "B", 576, (9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10),
        (3.5, 3.5, 4.0, 3.5, 4.0, 3.5, 3.5, 3.0, 4.0, 4.0, 3.0, 4.0, 3.0, 3.5),
    ),
}  # fmt: skip
_INPUT, _PATCH, _CLASSES = (3, 224, 224), 16, 1000


def network_arguments(
    preset: Preset,
    dim: int,
    heads: Sequence[int],
    ratios: Sequence[float],
    *,
    size: tuple[int, int, int] = _INPUT,
    patch: int = _PATCH,
    classes: int = _CLASSES,
    reductions: Sequence[int] = (),
) -> dict[str, Any]:
    """Those of `TransformerNetwork`; `heads` and `ratios` of each layer, `reductions` behind so many of them."""
    return {
        "input_size": list(size),
        "tokenizer": [tokenizer(dim, patch)],
        "layers": [
            {"heads": count, "head_dim": preset.head_dim, "mlp": int(ratio * dim)}
            for count, ratio in zip(heads, ratios, strict=True)
        ],
        "classes": classes,
        **preset.network,
        "reductions": reductions_of(reductions, dim),
    }


def reductions_of(after: Sequence[int], dim: int) -> list[dict[str, int]]:
    """Reductions behind so many layers each, which leave the tokens their channels."""
    return [{"after": layers, "out": dim} for layers in after]


def tokenizer(dim: Any, patch: int) -> dict[str, Any]:
    """The one convolution that makes tokens of patches."""
    return {"out": dim, "kernel": patch, "stride": patch, "padding": 0, "bias": True, "pool": False}


def blueprint_of(arguments: dict[str, Any]) -> Blueprint:
    """The plain network of these arguments."""
    return Blueprint("search_spaces.blocks.transformer", "TransformerNetwork", arguments)


@functools.cache
def published_members() -> Mapping[str, PublishedMember]:
    """By name: `deit_tiny`, `deit_small`, `deit_base`, `autoformer_tiny`, `autoformer_small`, `autoformer_base`."""
    return {name: _member(name, network) for name, network in _NETWORKS.items()}


def _member(name: str, network: _Published) -> PublishedMember:
    arguments = network_arguments(PRESETS[network.preset], network.dim, network.heads, network.ratios)
    return PublishedMember(
        name,
        network.source,
        table=functools.partial(transformer_table, arguments),
        blueprint=functools.partial(blueprint_of, arguments),
        outside=functools.partial(_outside, network),
    )


def _outside(network: _Published) -> list[str]:
    """What its preset does not know of it."""
    options: dict[str, Option] = {"dim": network.dim, "depth": len(network.heads)}
    for index, (heads, ratio) in enumerate(zip(network.heads, network.ratios, strict=True)):
        options |= {f"layer{index}.heads": heads, f"layer{index}.mlp_ratio": ratio}
    return [f"preset {network.preset}: {line}" for line in misfits(PRESETS[network.preset].choices, options)]
