"""Published networks of the family."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from search_spaces.blocks.resnet_layers import write_resnet
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.space import Blueprint, PublishedMember
from search_spaces.core.table_writer import TableWriter

STEM = {"kernel": 3, "stride": 2, "middle": "residual"}
_CHANNELS, _PIXELS, _CLASSES = 3, 224, 1000
_STAGES = ((256, 3), (512, 4), (1024, 6), (2048, 3))  # channels and blocks of a ResNet-50
_EXPANSION = 4


class _Published(NamedTuple):
    """A ResNet-50: its stem, and how the first block of a stage shortcuts."""

    source: str
    stem: Mapping[str, Any]
    shortcut: str


_NETWORKS = {
    "resnet50": _Published(
        "ResNet, arXiv 1512.03385, as in timm 1.0.31 (Apache-2.0)",
        {"mid": 0, "out": 64, "kernel": 7, "stride": 2, "middle": "none"},
        "conv",
    ),
    "resnet50d": _Published(
        "ResNet-D, arXiv 1812.01187, as in timm 1.0.31 (Apache-2.0)",
        {"mid": 32, "out": 64, "kernel": 3, "stride": 2, "middle": "plain"},
        "pool_conv",
    ),
    "ofa_resnet50": _Published(
        "Once-for-all, arXiv 1908.09791; mit-han-lab/once-for-all @80a2e26 (MIT), ResNet50D",
        {"mid": 32, "out": 64, **STEM},
        "pool_conv",
    ),
}


def blueprint_of(arguments: dict[str, Any]) -> Blueprint:
    """How to build the network of these arguments."""
    return Blueprint("search_spaces.blocks.resnet", "ResnetNetwork", arguments)


@functools.cache
def published_members() -> Mapping[str, PublishedMember]:
    """By name: `resnet50`, `resnet50d`, and `ofa_resnet50`, the network around which OFA's space lies."""
    found = {}
    for name, network in _NETWORKS.items():
        arguments = _arguments(network)
        found[name] = PublishedMember(
            name,
            network.source,
            table=functools.partial(_table, arguments),
            blueprint=functools.partial(blueprint_of, arguments),
        )
    return found


def _arguments(network: _Published) -> dict[str, Any]:
    blocks, inside = [], network.stem["out"]
    for stage, (out, depth) in enumerate(_STAGES):
        for index in range(depth):
            stride = 2 if stage and not index else 1
            shortcut = "identity" if index else network.shortcut
            mid = out // _EXPANSION
            blocks.append({"in": inside, "mid": mid, "out": out, "stride": stride, "shortcut": shortcut})
            inside = out
    size = [_CHANNELS, _PIXELS, _PIXELS]
    return {"input_size": size, "stem": dict(network.stem), "pool": True, "blocks": blocks, "classes": _CLASSES}


def _table(arguments: dict[str, Any]) -> LayerTable:
    blocks = {f"block{index}": block for index, block in enumerate(arguments["blocks"])}
    writer = TableWriter(1, *arguments["input_size"])
    return write_resnet(writer, arguments["stem"], arguments["pool"], blocks, arguments["classes"])
