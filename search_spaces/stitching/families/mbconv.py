"""Networks of inverted residual blocks: those of the spaces `mcunetv2` and `tinynet`.

SN-Net (arXiv 2302.06586) stitches convolutional networks and Swin stage by stage. A stage here is a block that strides
and those behind it on maps of its size; a stitch leads from a block's map to a later block of the same stage.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import Kind, Layer, LayerTable
from search_spaces.stitching.families.family import Family, Network, Parts

_COMMON: dict[str, Any] = {
    "input_size": None,
    "classes": None,
    "activation": "relu6",
    "squeeze": ["relu", "hardsigmoid"],
}
_WORKING = (Kind.CONV, Kind.DEPTHWISE, Kind.LINEAR)


class Mbconvs(Family):
    """Arguments of `MbconvNetwork`. A stitch is a 1x1 convolution with bias."""

    module: ClassVar[str] = "search_spaces.blocks.mbconv"
    factory: ClassVar[str] = "MbconvNetwork"
    where: ClassVar[str] = "spaces tinynet and mcunetv2"

    def traits(self, network: Network) -> dict[str, Any]:
        stem = network["stem"]
        return {
            **{name: network.get(name, default) for name, default in _COMMON.items()},
            "stem": {"kernel": stem["kernel"], "stride": stem["stride"]},
            "number of stages": len(self.stages(network)),
            "stride of each stage": [network["blocks"][start]["stride"] for start in _starts(network)],
        }

    def unfit(self, network: Network) -> str:
        return "stitches between its blocks" if network.get("stitches") else ""

    def stages(self, network: Network) -> tuple[int, ...]:
        return tuple(end - start for start, end in pairwise([*_starts(network), len(network["blocks"])]))

    def widths(self, network: Network) -> str:
        return f"{network['blocks'][0]['in']} to {network['blocks'][-1]['out']}"

    def work(self, network: Network) -> int:
        """Of convolutions and linear operators."""
        return sum(_work(layer) for layer in mbconv_layers(network) if layer.kind in _WORKING)

    def route(self, anchors: Sequence[Network], parts: Parts) -> dict[str, Any]:
        blocks: list[Any] = []
        stitches: list[dict[str, int]] = []
        for anchor, start, end in parts:
            taken = anchors[anchor]["blocks"][start:end]
            if blocks:
                stitches.append({"after": len(blocks), "out": taken[0]["in"]})
            blocks += taken
        route = {**anchors[parts[-1][0]], "stem": anchors[parts[0][0]]["stem"], "blocks": blocks}
        return {**route, "stitches": stitches} if stitches else route

    def table(self, networks: Sequence[Network]) -> LayerTable:
        return LayerTable.stack([mbconv_layers(network) for network in networks])


def _work(layer: Layer) -> int:
    each = layer.in_channels // layer.groups * layer.out_channels * layer.kernel**2
    return each * layer.out_height * layer.out_width


def _starts(network: Network) -> list[int]:
    """The first block of each stage."""
    return [number for number, block in enumerate(network["blocks"]) if number == 0 or block["stride"] > 1]


FAMILY = Mbconvs()
