import numpy as np
import pytest

from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable


def layer(name: str, kind: Kind, source: int, other: int = NO_INPUT, out: int = 4, cut: bool = False) -> Layer:
    return Layer(name, kind, source, other, 4, out, 8, 8, 8, 8, kernel=3, cut=cut)


LONG = [
    layer("stem", Kind.CONV, NETWORK_INPUT, cut=True),
    layer("a", Kind.CONV, 0),
    layer("b", Kind.CONV, 1, out=6),
    layer("add", Kind.ADD, 2, 0, cut=True),
]
SHORT = [layer("stem", Kind.CONV, NETWORK_INPUT, cut=True), layer("b", Kind.CONV, 0), layer("c", Kind.POOL, 1)]


def test_stacked_networks_keep_their_layers() -> None:
    table = LayerTable.stack([LONG, SHORT, LONG[:1]])
    assert [table.layers(row) for row in range(3)] == [LONG, SHORT, LONG[:1]]
    assert len(table) == 3
    assert table.slots == 5
    assert set(table.slot_names) == {"stem", "a", "b", "add", "c"}


def test_absent_slots_hold_neutral_values() -> None:
    table = LayerTable.stack([LONG, SHORT])
    absent = ~table.present
    assert absent.sum() == 3
    for name, value in (("kernel", 1), ("stride", 1), ("groups", 1), ("out_channels", 0), ("input_a", NO_INPUT)):
        assert (getattr(table, name)[absent] == value).all()


def test_last_use_is_the_last_reader_and_ones_own_place_without_any() -> None:
    table = LayerTable.from_layers(LONG)
    assert table.last_use.tolist() == [[3, 2, 3, 3]]


def test_before_skips_absent_slots() -> None:
    table = LayerTable.stack([LONG, SHORT])
    slot = {name: i for i, name in enumerate(table.slot_names)}
    assert table.before[slot["b"]].tolist() == [slot["a"], slot["stem"]]
    assert table.before[slot["stem"]].tolist() == [-1, -1]


def test_kinds() -> None:
    table = LayerTable.from_layers(LONG)
    assert table.slots_of(Kind.CONV).tolist() == [0, 1, 2]
    assert table.mask_of(Kind.ADD, Kind.POOL).tolist() == [False, False, False, True]
    assert table.slots_of().tolist() == []


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([1, 2]), np.array([False, True, True])])
def test_selected_rows(rows: slice | np.ndarray) -> None:
    table = LayerTable.stack([LONG, SHORT, LONG]).select(rows)
    assert [table.layers(row) for row in range(len(table))] == [SHORT, LONG]


def test_the_first_slots_are_views_of_the_whole() -> None:
    table = LayerTable.stack([LONG, SHORT])
    first = table.first(2)
    assert (len(first), first.slots, first.kinds) == (2, 2, table.kinds[:2])
    assert first.out_channels.base is not None
    assert first.layers(0) == LONG[:2]
    assert first.last_use[0].tolist() == [3, 2]


def test_broadcast_columns_stay_views() -> None:
    one = LayerTable.from_layers(LONG)
    columns = {field: getattr(one, field) for field in one.__dataclass_fields__}
    columns["stride"] = np.broadcast_to(one.stride[0], (1, one.slots))
    table = LayerTable(**columns).select(np.zeros(5, dtype=np.intp))
    assert table.stride.shape == (5, one.slots)
    assert table.stride.strides[0] == 0
    assert table.layers(4) == LONG


def test_no_networks() -> None:
    table = LayerTable.stack([])
    assert (len(table), table.slots) == (0, 0)
    assert len(LayerTable.from_layers(LONG).select(slice(0, 0))) == 0


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ([[LONG[0], LONG[0]]], "twice"),
        ([LONG[:2], [layer("a", Kind.CONV, NETWORK_INPUT), layer("stem", Kind.CONV, 0)]], "different orders"),
        ([LONG, [layer("stem", Kind.POOL, NETWORK_INPUT)]], "'stem' is CONV here and POOL there"),
    ],
)
def test_what_cannot_be_stacked(networks: list[list[Layer]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LayerTable.stack(networks)
