"""Swin transformers, as timm has them: attention in windows, stages of halved maps.

SN-Net (arXiv 2302.06586) stitches them stage by stage. A stage here is a block behind a patch merging and those that
follow it on maps of its size; a stitch leads from a block's tokens to a later block of the same stage.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any, ClassVar

from search_spaces.blocks.swin_layers import swins_table
from search_spaces.blocks.transformer_layers import halved
from search_spaces.core.layer_table import LayerTable
from search_spaces.stitching.families.family import Family, Network, Parts


class Swins(Family):
    """Arguments of `SwinNetwork`. A stitch is a linear layer of the tokens."""

    module: ClassVar[str] = "search_spaces.blocks.swin"
    factory: ClassVar[str] = "SwinNetwork"
    where: ClassVar[str] = "Swin transformers of timm"

    def traits(self, network: Network) -> dict[str, Any]:
        """Windows are each block's own, and so may differ."""
        return {
            "input_size": network["input_size"],
            "classes": network["classes"],
            "side of a patch": network["patch"]["kernel"],
            "number of stages": len(self.stages(network)),
        }

    def unfit(self, network: Network) -> str:
        return "stitches between its blocks" if network.get("stitches") else ""

    def stages(self, network: Network) -> tuple[int, ...]:
        starts = [number for number, block in enumerate(network["blocks"]) if number == 0 or block.get("merge")]
        return tuple(end - start for start, end in pairwise([*starts, len(network["blocks"])]))

    def widths(self, network: Network) -> str:
        dims = _dims(network)
        return f"{dims[0]} to {dims[-1]}"

    def work(self, network: Network) -> int:
        """Of tokens in windows those count too that stand beyond the map."""
        channels, *picture = network["input_size"]
        patch = network["patch"]
        dim, size = patch["out"], (picture[0] // patch["kernel"], picture[1] // patch["kernel"])
        work = prod(size) * channels * patch["kernel"] ** 2 * dim
        stitches = {spec["after"]: spec["out"] for spec in network.get("stitches", ())}
        for number, block in enumerate(network["blocks"], start=1):
            if block.get("merge"):
                size = halved(size)
                work += prod(size) * 4 * dim * block["merge"]
                dim = block["merge"]
            windows = prod(-(-side // each) for side, each in zip(size, block["window"], strict=True))
            keys, width = prod(block["window"]), block["heads"] * block["head_dim"]
            work += windows * keys * (4 * dim * width + 2 * keys * width) + prod(size) * 2 * dim * block["mlp"]
            if number in stitches:
                work += prod(size) * dim * stitches[number]
                dim = stitches[number]
        return int(work + dim * network["classes"])

    def route(self, anchors: Sequence[Network], parts: Parts) -> dict[str, Any]:
        blocks: list[Any] = []
        stitches: list[dict[str, int]] = []
        for anchor, start, end in parts:
            if blocks:
                stitches.append({"after": len(blocks), "out": _dims(anchors[anchor])[start]})
            blocks += anchors[anchor]["blocks"][start:end]
        route = {**anchors[parts[-1][0]], "patch": anchors[parts[0][0]]["patch"], "blocks": blocks}
        return {**route, "stitches": stitches} if stitches else route

    def table(self, networks: Sequence[Network]) -> LayerTable:
        return swins_table(networks)


def _dims(network: Network) -> list[int]:
    """Channels of what each block reads and, last, of what the last one makes, in a network without stitches."""
    dims = [int(network["patch"]["out"])]
    for block in network["blocks"]:
        dims.append(block.get("merge") or dims[-1])
    return dims


FAMILY = Swins()
