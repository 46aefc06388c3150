"""Arguments of the plain network of a route."""

from collections.abc import Mapping, Sequence
from typing import Any


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
