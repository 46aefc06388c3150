"""The operators of residual networks, written for a whole population; no torch."""

from collections.abc import Mapping
from typing import Any

from search_spaces.core.layer_table import Kind, LayerTable
from search_spaces.core.table_writer import TableWriter


def write_resnet(
    writer: TableWriter, stem: Mapping[str, Any], pool: bool, blocks: Mapping[str, Mapping[str, Any]], classes: int
) -> LayerTable:
    """Arguments as in `ResnetNetwork`, blocks by name; channels may be arrays `(n,)`.

    `here` among a block's says which rows have it, among the stem's which have its middle convolution: all unless it is
    there.
    """
    _write_stem(writer, stem)
    if pool:
        halved = -(-writer.current.height // 2), -(-writer.current.width // 2)
        writer.write("pool", Kind.POOL, None, halved, kernel=3, stride=2)
    for name, block in blocks.items():
        _write_block(writer, name, block, block.get("here", True))
    writer.pool("mean")
    writer.linear("classifier", classes)
    return writer.table()


def _write_stem(writer: TableWriter, stem: Mapping[str, Any]) -> None:
    mid, here = stem["mid"], stem.get("here", True)
    single = isinstance(mid, int) and mid == 0
    start = writer.conv("stem.first", stem["out"] if single else mid, stem["kernel"], stem["stride"])
    if stem["middle"] != "none":
        writer.conv("stem.middle", start.channels, 3, here=here)
    if stem["middle"] == "residual":
        writer.add("stem.add", start, here=here)
    if not single:
        writer.conv("stem.last", stem["out"], 3)
    writer.cut()


def _write_block(writer: TableWriter, name: str, block: Mapping[str, Any], here: Any) -> None:
    start, out, stride = writer.current, block["out"], block["stride"]
    writer.conv(f"{name}.reduce", block["mid"], here=here)
    writer.conv(f"{name}.spatial", block["mid"], 3, stride, here=here)
    beside = start
    if block["shortcut"] == "identity":
        writer.conv(f"{name}.expand", out, here=here)
    else:
        beside = writer.conv(f"{name}.expand", out, here=here)
        writer.view(start, start.channels, start.height, start.width, here=here)
        if block["shortcut"] == "pool_conv" and stride > 1:
            size = beside.height, beside.width
            writer.write(f"{name}.shortcut.pool", Kind.POOL, None, size, here=here, kernel=stride, stride=stride)
            stride = 1
        writer.conv(f"{name}.shortcut", out, 1, stride, here=here)
    writer.add(f"{name}.add", beside, here=here)
    writer.cut()
