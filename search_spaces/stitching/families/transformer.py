"""Vision transformers of one width from end to end, such as those of the space `vit` and plain ones of timm."""

from collections.abc import Sequence
from typing import Any, ClassVar

from search_spaces.blocks.transformer_layers import map_size, transformers_table
from search_spaces.core.layer_table import LayerTable
from search_spaces.stitching.families.family import Family, Network, Parts

# What all of them have in common, with what is meant where an argument is missing.
_COMMON: dict[str, Any] = {
    "input_size": None,
    "classes": None,
    "position": "learned",
    "pool": "class",
    "residual_of_norm": False,
    "reach": 0,
    "epsilon": 1e-6,
}
_OF_TOKENIZERS = ("kernel", "stride", "padding", "bias", "pool")
_WITHOUT = ("reductions", "stitches")
_WITH_CLASS_TOKEN = ("class", "patches")


class Transformers(Family):
    """Arguments of `TransformerNetwork`. A stitch is a linear layer of the tokens."""

    module: ClassVar[str] = "search_spaces.blocks.transformer"
    factory: ClassVar[str] = "TransformerNetwork"
    where: ClassVar[str] = "space vit, plain vision transformers of timm"

    def traits(self, network: Network) -> dict[str, Any]:
        """Their tokens before how these are made."""
        return {
            **{name: network.get(name, default) for name, default in _COMMON.items()},
            "number of tokens": map_size(network["input_size"][1:], network["tokenizer"]),
            "tokenizer": [{name: conv[name] for name in _OF_TOKENIZERS} for conv in network["tokenizer"]],
            "bias of queries, keys and values": sorted({layer.get("qkv_bias", True) for layer in network["layers"]}),
        }

    def unfit(self, network: Network) -> str:
        return next((f"{name} between its layers" for name in _WITHOUT if network.get(name)), "")

    def stages(self, network: Network) -> tuple[int, ...]:
        return (len(network["layers"]),)

    def widths(self, network: Network) -> str:
        return str(_dim(network))

    def work(self, network: Network) -> int:
        """Of a network without reductions and relative positions."""
        channels, *size = network["input_size"]
        work, dim = 0, int(channels)
        for conv in network["tokenizer"]:
            high, wide = map_size(size, [{**conv, "pool": False}])
            work += high * wide * dim * conv["kernel"] ** 2 * conv["out"]
            size, dim = map_size(size, [conv]), conv["out"]
        tokens = size[0] * size[1] + (network.get("pool", "class") in _WITH_CLASS_TOKEN)
        behind = {spec["after"]: spec["out"] for spec in network.get("stitches", ())}
        for number, layer in enumerate(network["layers"], start=1):
            width = layer["heads"] * layer["head_dim"]
            work += tokens * (4 * dim * width + 2 * dim * layer["mlp"] + 2 * tokens * width)
            work += tokens * dim * behind.get(number, 0)
            dim = behind.get(number, dim)
        return int(work + dim * network["classes"])

    def route(self, anchors: Sequence[Network], parts: Parts) -> dict[str, Any]:
        first, last = anchors[parts[0][0]], anchors[parts[-1][0]]
        layers: list[Any] = []
        stitches: list[dict[str, int]] = []
        for anchor, start, end in parts:
            if layers:
                stitches.append({"after": len(layers), "out": _dim(anchors[anchor])})
            layers += anchors[anchor]["layers"][start:end]
        return {**last, "tokenizer": first["tokenizer"], "layers": layers, "stitches": stitches}

    def table(self, networks: Sequence[Network]) -> LayerTable:
        return transformers_table(networks)


def _dim(network: Network) -> int:
    return int(network["tokenizer"][-1]["out"])


FAMILY = Transformers()
