"""Tables written for all rows at once are those of the same operators one network at a time."""

import numpy as np
import pytest

from search_spaces.blocks.mbconv_layers import mbconv_layers
from search_spaces.core.layer_table import Kind, LayerTable
from search_spaces.core.table_writer import TableWriter


def test_one_row_is_the_list_of_its_layers() -> None:
    block = {"in": 8, "mid": 24, "out": 8, "kernel": 5, "stride": 1, "residual": True, "squeeze": 4}
    stem = {"out": 8, "kernel": 3, "stride": 2}
    arguments = {"input_size": [3, 21, 30], "stem": stem, "blocks": [block], "mix": 16, "hidden": 12, "classes": 5}
    writer = TableWriter(1, 3, 21, 30)
    writer.conv("stem", 8, 3, 2)
    writer.cut()
    start = writer.current
    writer.conv("block0.expand", 24)
    writer.depthwise("block0.depthwise", 5)
    writer.squeeze("block0", 4)
    writer.conv("block0.project", 8)
    writer.add("block0.add", start)
    writer.cut()
    writer.conv("mix", 16)
    writer.pool("pool")
    writer.linear("hidden", 12)
    writer.linear("classifier", 5)
    expected = LayerTable.from_layers(mbconv_layers(arguments)).layers(0)
    assert writer.table().layers(0) == expected


def test_rows_that_lack_an_operator_go_on_from_the_one_before() -> None:
    writer = TableWriter(3, 3, np.array([8, 8, 9]), 8)
    writer.conv("first", np.array([4, 6, 8]), 3)
    writer.conv("second", 10, 1, 2, here=np.array([True, False, True]))
    writer.linear("last", 2)
    table = writer.table()
    assert table.present.tolist() == [[True, True, True], [True, False, True], [True, True, True]]
    assert table.input_a[:, 2].tolist() == [1, 0, 1]
    assert table.in_channels[:, 2].tolist() == [10, 6, 10]
    assert table.in_height[:, 2].tolist() == [4, 8, 5]
    assert table.last_use[:, 0].tolist() == [1, 2, 1]
    assert [layer.name for layer in table.layers(1)] == ["first", "last"]


def test_concatenated_channels_add_up_in_each_row() -> None:
    writer = TableWriter(2, 3, 8, 8)
    before = writer.conv("first", np.array([4, 6]))
    writer.depthwise("ghosts", 3)
    writer.concat("both", before)
    table = writer.table()
    assert table.out_channels[:, 2].tolist() == [8, 12]
    assert (table.input_a[0, 2], table.input_b[0, 2]) == (1, 0)
    assert table.last_use[:, 0].tolist() == [2, 2]


def test_a_block_ends_where_each_row_stands() -> None:
    writer = TableWriter(2, 3, 8, 8)
    writer.conv("first", 4)
    writer.cut()
    writer.conv("second", 4, here=np.array([True, False]))
    writer.cut()
    assert writer.table().cut.tolist() == [[True, True], [True, False]]


def test_nobody() -> None:
    writer = TableWriter(0, 3, 8, 8)
    writer.conv("first", 4)
    writer.norm("norm")
    table = writer.table()
    assert len(table) == 0
    assert table.kinds == (Kind.CONV, Kind.NORM)


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        TableWriter(3, 3, np.array([8, 8]), 8)
