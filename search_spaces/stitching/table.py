"""Operator tables of stitched transformers, a row a route."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.blocks.transformer_layers import write_head, write_layer, write_tokenizer
from search_spaces.core.layer_table import LayerTable
from search_spaces.core.table_writer import TableWriter


def stitched_table(networks: Sequence[Mapping[str, Any]]) -> LayerTable:
    """One row a network: arguments of `TransformerNetwork`, of one family and with stitches alone between layers."""
    common = networks[0]
    writer = TableWriter(len(networks), *common["input_size"])
    pool, position = common.get("pool", "class"), common.get("position", "learned")
    convs = [
        {**conv, "out": np.array([network["tokenizer"][index]["out"] for network in networks])}
        for index, conv in enumerate(common["tokenizer"])
    ]
    write_tokenizer(writer, convs, pool=pool, learned_position=position == "learned", position=position != "none")
    deepest = max(len(network["layers"]) for network in networks)
    stitches = [{spec["after"]: spec["out"] for spec in network.get("stitches", ())} for network in networks]
    for number in range(1, deepest + 1):
        here = np.array([len(network["layers"]) >= number for network in networks])
        heads, width, mlp = _sizes([_layer(network, number) for network in networks])
        bias = next(_layer(network, number).get("qkv_bias", True) for network in networks)
        shape = {"heads": heads, "width": width, "mlp": mlp, "qkv_bias": bias, "reach": common.get("reach", 0)}
        residual = common.get("residual_of_norm", False)
        write_layer(writer, f"layer{number - 1}", **shape, residual_of_norm=residual, here=here)
        stitched = np.array([number in own for own in stitches])
        if stitched.any():
            out = np.array([own.get(number, 1) for own in stitches])
            writer.linear(f"stitch{number}", out, here=stitched)
    write_head(writer, pool, common["classes"])
    return writer.table()


def _layer(network: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    """The layer of that number, the last where there are fewer."""
    layer: Mapping[str, Any] = network["layers"][min(number, len(network["layers"])) - 1]
    return layer


def _sizes(layers: Sequence[Mapping[str, Any]]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Heads, channels of all heads together, hidden channels of the MLP."""
    heads = np.array([layer["heads"] for layer in layers])
    head_dim = np.array([layer["head_dim"] for layer in layers])
    return heads, heads * head_dim, np.array([layer["mlp"] for layer in layers])


def route_arguments(anchors: Sequence[Mapping[str, Any]], parts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Arguments of the plain `TransformerNetwork` of a route: tokens of its first anchor, head of its last.

    `anchors` are such arguments as well; a part is an anchor, its first layer, and the one behind its last.
    """
    first, last = anchors[parts[0][0]], anchors[parts[-1][0]]
    layers: list[Any] = []
    stitches: list[dict[str, int]] = []
    for anchor, start, end in parts:
        if layers:
            stitches.append({"after": len(layers), "out": anchors[anchor]["tokenizer"][-1]["out"]})
        layers += anchors[anchor]["layers"][start:end]
    own = {"tokenizer": first["tokenizer"], "layers": layers, "position": first.get("position", "learned")}
    return {**last, **own, "stitches": stitches}
