"""The operators of a transformer, written for a whole population; no torch. Sizes are tokens x 1."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search_spaces.core.layer_table import Kind, LayerTable
from search_spaces.core.table_writer import TableWriter, Tensor

_BIAS = 1
_WITH_CLASS_TOKEN = ("class", "patches")


def write_tokenizer(
    writer: TableWriter, convs: Sequence[Mapping[str, Any]], *, pool: str, learned_position: Any, position: bool = True
) -> tuple[Any, Any]:
    """Convolutions, tokens of the map, the class token, the position embedding; returns the map's (high, wide).

    Numbers of a convolution may be arrays; `here` among them says which rows have it. A position embedding is learned
    or, where `learned_position` is false, computed.
    """
    for index, conv in enumerate(convs):
        size = _side(writer.current.height, conv), _side(writer.current.width, conv)
        shape = {"kernel": conv["kernel"], "stride": conv["stride"], "channel_params": _BIAS * conv["bias"]}
        here = conv.get("here", True)
        writer.write(f"tokenizer{index}", Kind.CONV, conv["out"], size, here=here, **shape)
        if conv["pool"]:
            halved = (-(-writer.current.height // 2), -(-writer.current.width // 2))
            writer.write(f"tokenizer{index}.pool", Kind.POOL, None, halved, here=here, kernel=3, stride=2)
    map_size = writer.current.height, writer.current.width
    writer.flatten()
    if pool in _WITH_CLASS_TOKEN:
        writer.write("class_token", Kind.CONCAT, None, (writer.current.height + 1, 1), channel_params=1)
    if position:
        writer.write("position", Kind.ADD, channel_params=writer.current.height * learned_position)
    return map_size


def write_layer(
    writer: TableWriter,
    name: str,
    *,
    heads: Any,
    width: Any,
    mlp: Any,
    qkv_bias: bool = True,
    residual_of_norm: bool = False,
    reach: int = 0,
    here: Any = True,
) -> None:
    """One encoder layer: `width` channels of all heads together, `mlp` hidden ones; `reach` of relative positions."""
    start, dim, tokens = writer.current, writer.current.channels, writer.current.height
    writer.norm(f"{name}.norm1", here=here)
    write_attention(writer, name, heads, width, tokens, qkv_bias, here, reach=reach)
    start = writer.add(f"{name}.add1", start, here=here)
    normalised = writer.norm(f"{name}.norm2", here=here)
    writer.linear(f"{name}.expand", mlp, here=here)
    writer.linear(f"{name}.contract", dim, here=here)
    writer.add(f"{name}.add2", normalised if residual_of_norm else start, here=here)


def write_attention(
    writer: TableWriter,
    name: str,
    heads: Any,
    width: Any,
    keys: Any,
    qkv_bias: bool,
    here: Any,
    *,
    biases: Any = 0,
    reach: int = 0,
) -> Tensor:
    """Query, key and value, their products over `keys` tokens each, the projection; without norm and residual.

    `biases`: how many values each head has learnt to add to its scores; 0 is without. `reach`: the largest distance of
    relative positions. Their products are linear operators without bias, whose weights are the two tables of 2 x reach
    + 2 rows: of every head's query with each row, and of every head's attention, summed by row, with the rows. So they
    count 2 x (2 x reach + 2) x width multiply-accumulates a token for the keys, and as many for the values. That a pair
    looks its product up is part of the addition, that attention is summed part of the reading: neither keeps a tensor.
    """
    dim, tokens = writer.current.channels, writer.current.height
    rows, head_dim = 2 * (2 * reach + 2), np.asarray(width) // heads
    qkv = writer.linear(f"{name}.qkv", 3 * np.asarray(width), here=here, bias=qkv_bias)
    scores = writer.write(f"{name}.scores", Kind.MATMUL, heads * keys, here=here, in_channels=width, groups=heads)
    if np.any(biases):
        writer.view(scores, heads, tokens, keys, here=here)
        scores = writer.write(f"{name}.biases", Kind.ADD, here=here, channel_params=biases)
        writer.view(scores, heads * keys, tokens, here=here)
    if reach:
        writer.view(qkv, head_dim, heads * tokens, here=here)
        near = writer.linear(f"{name}.relative_keys", rows, here=here, bias=False)
        writer.view(near, heads, tokens, keys, here=here)
        scores = writer.add(f"{name}.relative_scores", scores, here=here)
        writer.view(scores, heads * keys, tokens, here=here)
    mixed = writer.write(f"{name}.mix", Kind.MATMUL, width, other=qkv, here=here, groups=heads)
    if reach:
        writer.view(scores, rows, heads * tokens, here=here)
        far = writer.linear(f"{name}.relative_values", head_dim, here=here, bias=False)
        writer.view(far, width, tokens, here=here)
        writer.add(f"{name}.relative_mix", mixed, here=here)
    return writer.linear(f"{name}.project", dim, here=here)


def write_reduction(
    writer: TableWriter, name: str, size: tuple[Any, Any], *, out: Any, pool: str, here: Any = True
) -> tuple[Any, Any]:
    """Residual spatial reduction of tokens that are a map of `size` (high, wide); returns the size behind it.

    `pool` of the network says whether there is a class token.
    """
    start, half = writer.current, halved(size)
    normed = writer.norm(f"{name}.norm", here=here)
    writer.view(normed, start.channels, *size, here=here)
    writer.write(f"{name}.conv", Kind.CONV, out, half, here=here, kernel=3, stride=2, channel_params=_BIAS)
    writer.flatten()
    made = writer.write(f"{name}.position", Kind.ADD, here=here, channel_params=writer.current.height)
    if pool in _WITH_CLASS_TOKEN:
        writer.view(normed, start.channels, 1, here=here)
        of_class = writer.linear(f"{name}.class_linear", out, here=here)
    means = write_means(writer, name, start, size, here)
    writer.view(made, out, half[0] * half[1], here=here)
    made = writer.add(f"{name}.add", means, here=here)
    if pool in _WITH_CLASS_TOKEN:
        writer.view(of_class, out, 1, here=here)
        writer.add(f"{name}.class_add", start, here=here)
        writer.write(f"{name}.concat", Kind.CONCAT, None, (half[0] * half[1] + 1, 1), other=made, here=here)
    return half


def write_means(writer: TableWriter, name: str, start: Tensor, size: tuple[Any, Any], here: Any) -> Tensor:
    """The means of 2x2 tokens of `start`, without its class token."""
    writer.view(start, start.channels, *size, here=here)
    writer.write(f"{name}.means", Kind.POOL, None, halved(size), here=here, kernel=2, stride=2)
    return writer.flatten()


def halved(size: tuple[Any, Any]) -> tuple[Any, Any]:
    """The map (high, wide) behind a reduction: both rounded up.

    >>> halved((14, 7))
    (7, 4)
    """
    return -(-size[0] // 2), -(-size[1] // 2)


def write_head(writer: TableWriter, pool: str, classes: int) -> None:
    """The last norm, one vector of all tokens, the classifier."""
    tokens = writer.norm("norm")
    if pool == "sequence":
        writer.linear("pool.score", 1)
        scored = writer.current
        writer.current = Tensor(scored.source, tokens.height, np.ones_like(tokens.height), scored.width)
        writer.write("pool.mix", Kind.MATMUL, tokens.channels, other=tokens)
    elif pool != "class":
        without_class_token = tokens.height - (pool == "patches")
        writer.view(tokens, tokens.channels, without_class_token)
        writer.pool("pool")
    else:
        writer.current = Tensor(*tokens[:2], np.ones_like(tokens.height), tokens.width)
    writer.linear("classifier", classes)


def transformer_table(arguments: Mapping[str, Any]) -> LayerTable:
    """The table of height one of `TransformerNetwork(**arguments)`."""
    return transformers_table([arguments])


def transformers_table(networks: Sequence[Mapping[str, Any]]) -> LayerTable:
    """One row for each arguments of `TransformerNetwork`.

    Rows differ in channels, layers and stitches; everything else, reductions among it, is that of the first.
    """
    common = networks[0]
    writer = TableWriter(len(networks), *common["input_size"])
    pool, position = common.get("pool", "class"), common.get("position", "learned")
    convs = [
        {**conv, "out": np.array([network["tokenizer"][index]["out"] for network in networks])}
        for index, conv in enumerate(common["tokenizer"])
    ]
    learned = position == "learned"
    size = write_tokenizer(writer, convs, pool=pool, learned_position=learned, position=position != "none")
    reduced = {spec["after"]: spec["out"] for spec in common.get("reductions", ())}
    stitches = [{spec["after"]: spec["out"] for spec in network.get("stitches", ())} for network in networks]
    for number in range(1, max(len(network["layers"]) for network in networks) + 1):
        _write_layers(writer, number, networks)
        stitched = np.array([number in own for own in stitches])
        if stitched.any():
            writer.linear(f"stitch{number}", np.array([own.get(number, 1) for own in stitches]), here=stitched)
        if number in reduced:
            size = write_reduction(writer, f"reduction{number}", size, out=reduced[number], pool=pool)
    write_head(writer, pool, common["classes"])
    return writer.table()


def _write_layers(writer: TableWriter, number: int, networks: Sequence[Mapping[str, Any]]) -> None:
    """The layer of that number, counted from 1, of each network that has so many."""
    common, depths = networks[0], [len(network["layers"]) for network in networks]
    layers = [network["layers"][min(number, depth) - 1] for network, depth in zip(networks, depths, strict=True)]
    heads, head_dim, mlp = (np.array([layer[name] for layer in layers]) for name in ("heads", "head_dim", "mlp"))
    write_layer(
        writer,
        f"layer{number - 1}",
        heads=heads,
        width=heads * head_dim,
        mlp=mlp,
        qkv_bias=layers[0].get("qkv_bias", True),
        residual_of_norm=common.get("residual_of_norm", False),
        reach=common.get("reach", 0),
        here=True if number <= min(depths) else np.array(depths) >= number,
    )


def map_size(size: Sequence[int], convs: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Tokens (high, wide) that a tokenizer makes of pictures of `size` (height, width), without a class token."""
    high, wide = size
    for conv in convs:
        high, wide = _side(high, conv), _side(wide, conv)
        high, wide = halved((high, wide)) if conv["pool"] else (high, wide)
    return high, wide


def _side(side: Any, conv: Mapping[str, Any]) -> Any:
    return (side + 2 * conv["padding"] - conv["kernel"]) // conv["stride"] + 1
