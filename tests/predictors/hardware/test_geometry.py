import numpy as np
import pytest

from predictors.hardware.geometry import Form, Steps, admits_split
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable


def layer(
    name: str, kind: Kind, a: int, b: int = NO_INPUT, kernel: int = 1, stride: int = 1, cut: bool = True
) -> Layer:
    return Layer(name, kind, a, b, 4, 4, 16, 16, 16, 16, kernel=kernel, stride=stride, cut=cut)


def admitted(*layers: Layer) -> str:
    """The names of the operators after which the network may be split."""
    table = LayerTable.from_layers(layers)
    return " ".join(table.slot_names[slot] for slot in np.flatnonzero(admits_split(table)[:, 0]))


STEM = layer("stem", Kind.CONV, NETWORK_INPUT)


def test_field_and_stride_of_a_chain() -> None:
    """The first five blocks of MobileNetV2 in short: 3x3 convolutions of stride 2, 1, 2, 1, 2."""
    table = LayerTable.from_layers(
        [layer(str(i), Kind.DEPTHWISE, i - 1, kernel=3, stride=stride) for i, stride in enumerate((2, 1, 2, 1, 2))]
    )
    steps = Steps.of(table)
    assert steps.stride[:, 0].tolist() == [2, 2, 4, 4, 8]
    assert steps.field[:, 0].tolist() == [3, 7, 11, 19, 27]
    assert steps.in_stride[:, 0].tolist() == [1, 2, 2, 4, 4]
    assert steps.in_field[:, 0].tolist() == [1, 3, 7, 11, 19]
    # 7 x 7 of the last need 75 x 75 pixels
    assert steps.field[-1, 0] + 6 * steps.stride[-1, 0] == 75


def test_a_form_is_weight_times_height_times_width() -> None:
    weight, stride, offset = (np.array([[value]]) for value in (5.0, 4.0, -3.0))
    form = Form.of_map(weight, stride, offset)
    reach_h, reach_w = np.array([19.0]), np.array([27.0])
    assert form.largest(reach_h * reach_w, reach_h + reach_w).tolist() == [5 * 4 * 6]
    nothing = Form(*(part[:0] for part in form))
    assert nothing.largest(reach_h, reach_w).tolist() == [0]


def test_taking_rows_keeps_their_order() -> None:
    part = np.arange(12.0).reshape(3, 4)
    form = Form(part, part, part).take(2, np.array([3, 1]))
    assert form.linear.tolist() == [[3, 1], [7, 5]]
    assert Form(part, part, part).take(2, np.arange(4)).square.base is not None


def test_a_chain_may_be_split_after_every_block_that_something_follows() -> None:
    assert admitted(STEM, layer("a", Kind.CONV, 0), layer("b", Kind.CONV, 1)) == "stem a"
    assert admitted(STEM._replace(cut=False), layer("a", Kind.CONV, 0), layer("b", Kind.CONV, 1)) == "a"


def test_no_split_inside_a_residual() -> None:
    held = (
        STEM,
        layer("a", Kind.CONV, 0),
        layer("b", Kind.CONV, 1),
        layer("add", Kind.ADD, 2, 0),
        layer("c", Kind.CONV, 3),
    )
    assert admitted(*held) == "stem add"
    # the other way round the addition reads the same tensors
    assert admitted(*held[:3], layer("add", Kind.ADD, 0, 2), held[4]) == "stem add"


def test_no_split_behind_what_needs_the_whole_map() -> None:
    for kind in (Kind.POOL, Kind.LINEAR, Kind.MATMUL):
        assert admitted(STEM, layer("x", kind, 0), layer("a", Kind.CONV, 1), layer("b", Kind.CONV, 2)) == "stem"


def test_no_split_behind_a_branch() -> None:
    branch = (layer("left", Kind.CONV, 0), layer("right", Kind.CONV, 0), layer("join", Kind.CONCAT, 2, 1))
    assert admitted(STEM, *branch, layer("a", Kind.CONV, 3)) == "stem"


def test_no_split_before_the_image_is_read_again() -> None:
    again = layer("add", Kind.ADD, 1, NETWORK_INPUT)
    assert (
        admitted(STEM, layer("a", Kind.CONV, 0), again, layer("b", Kind.CONV, 2), layer("c", Kind.CONV, 3)) == "add b"
    )


@pytest.mark.parametrize("absent", ["a", "b"])
def test_absent_operators_change_nothing(absent: str) -> None:
    names = ["stem", "a", "b", "c"]
    every = [layer(name, Kind.CONV, i - 1, kernel=3) for i, name in enumerate(names)]
    names.remove(absent)
    fewer = [layer(name, Kind.CONV, i - 1, kernel=3) for i, name in enumerate(names)]
    table, alone = LayerTable.stack([every, fewer]), LayerTable.from_layers(fewer)
    slots = np.flatnonzero(table.present[1])
    assert np.array_equal(admits_split(table)[slots, 1], admits_split(alone)[:, 0])
    assert not admits_split(table)[table.slot_names.index(absent), 1]
    assert np.array_equal(Steps.of(table).field[slots, 1], Steps.of(alone).field[:, 0])
