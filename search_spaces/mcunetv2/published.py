"""Published networks of the family, typed from their sources."""

import functools
from collections.abc import Mapping
from typing import Any

from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.space import Blueprint, PublishedMember
from search_spaces.mcunetv2.configuration import read_mcunet_configuration

__all__ = ["mcunetv2_large", "member_of", "mobilenet_v2", "published_members", "read_mcunet_configuration"]

NETWORK_MODULE = "search_spaces.blocks.mbconv"
_LARGE_SOURCE = "mit-han-lab/tinyengine assets/mcunetv2_large.tflite @47bb283 (MIT)"
_MOBILENET_SOURCE = "MobileNetV2, arXiv 1801.04381, Table 2"

# (expansion, kernel, stride, channels, squeeze-excite), read from the published file
_MCUNETV2_LARGE = (
    (6, 3, 2, 24, False), (4, 3, 2, 40, False),
    (6, 5, 1, 40, True), (6, 5, 1, 40, True), (3, 3, 1, 40, True),
    (6, 5, 2, 64, True), (4, 5, 1, 64, True), (3, 3, 1, 64, True), (4, 7, 1, 64, True),
    (6, 5, 1, 96, True), (4, 5, 1, 96, True), (3, 5, 1, 96, True),
    (4, 7, 2, 144, True), (4, 3, 1, 144, True), (4, 3, 1, 144, True),
    (4, 5, 1, 240, False),
)  # fmt: skip

# (expansion, channels, repeats, stride of the first)
_MOBILENET_V2 = ((6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def _block(inside: int, out: int, expansion: int, kernel: int, stride: int, squeeze: int = 0) -> dict[str, Any]:
    mid = inside * expansion if expansion > 1 else 0
    residual = stride == 1 and inside == out
    return {
        "in": inside,
        "mid": mid,
        "out": out,
        "kernel": kernel,
        "stride": stride,
        "residual": residual,
        "squeeze": squeeze,
    }


def mcunetv2_large() -> dict[str, Any]:
    """The one public MCUNetV2 network: 224 x 224, fused first block, squeeze-excite from 28 x 28 on."""
    blocks = [_block(16, 16, 1, 1, 1) | {"residual": False}]
    inside = 16
    for expansion, kernel, stride, out, gated in _MCUNETV2_LARGE:
        blocks.append(_block(inside, out, expansion, kernel, stride, squeeze=inside // 4 if gated else 0))
        inside = out
    stem = {"out": 16, "kernel": 3, "stride": 2}
    return {"input_size": [3, 224, 224], "stem": stem, "blocks": blocks, "mix": 384, "classes": 1000}


def mobilenet_v2(resolution: int = 224) -> dict[str, Any]:
    """MobileNetV2 of width 1.0."""
    blocks = [_block(32, 16, 1, 3, 1)]
    inside = 16
    for expansion, out, repeats, stride in _MOBILENET_V2:
        for index in range(repeats):
            blocks.append(_block(inside, out, expansion, 3, stride if index == 0 else 1))
            inside = out
    stem = {"out": 32, "kernel": 3, "stride": 2}
    return {"input_size": [3, resolution, resolution], "stem": stem, "blocks": blocks, "mix": 1280, "classes": 1000}


def member_of(name: str, source: str, arguments: dict[str, Any]) -> PublishedMember:
    """A member from the arguments of its plain network."""
    return PublishedMember(
        name=name,
        source=source,
        table=functools.partial(_table, arguments),
        blueprint=lambda: Blueprint(NETWORK_MODULE, "MbconvNetwork", arguments),
    )


def _table(arguments: dict[str, Any]) -> LayerTable:
    return LayerTable.from_layers(mbconv_layers(arguments))


def published_members() -> Mapping[str, PublishedMember]:
    """By name: `mcunetv2_large` and `mobilenet_v2`, the paper's running example."""
    members = (
        member_of("mcunetv2_large", _LARGE_SOURCE, mcunetv2_large()),
        member_of("mobilenet_v2", _MOBILENET_SOURCE, mobilenet_v2()),
    )
    return {member.name: member for member in members}
