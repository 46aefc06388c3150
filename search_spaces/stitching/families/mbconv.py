"""Networks of inverted residual blocks: those of the spaces `mcunetv2` and `tinynet`.

SN-Net (arXiv 2302.06586) stitches convolutional networks and Swin stage by stage. A stage here is a block that strides
and those behind it on maps of its size; a stitch leads from a block's map to a later block of the same stage.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import Kind, LayerTable
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
            **{name: _plain(network.get(name, default)) for name, default in _COMMON.items()},
            "stem": {"kernel": stem["kernel"], "stride": stem["stride"]},
            "number of stages": len(self.stages(network)),
        }

    def unfit(self, network: Network) -> str:
        return "stitches between its blocks" if network.get("stitches") else ""

    def stages(self, network: Network) -> tuple[int, ...]:
        starts = [n for n, block in enumerate(network["blocks"]) if n == 0 or block["stride"] > 1]
        return tuple(np.diff([*starts, len(network["blocks"])]).tolist())

    def widths(self, network: Network) -> str:
        return f"{network['blocks'][0]['in']} to {network['blocks'][-1]['out']}"

    def work(self, network: Network) -> int:
        """Of convolutions and linear operators."""
        table = self.table([network])
        each = table.out_channels * (table.in_channels // table.groups) * table.kernel.astype(np.int64) ** 2
        each = each * table.out_height * table.out_width * table.present
        return int(each[:, table.mask_of(*_WORKING)].sum())

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


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


FAMILY = Mbconvs()
