"""What shares storage, what lives how long, and what is missing: on operators written by hand."""

from typing import Any

import pytest

from nas.importing.lowering import Lowered, lower
from nas.importing.operators import ForeignNetwork, Operator, Task
from nas.importing.rows import from_document, to_document
from predictors.hardware.price import price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, LayerTable

MAP = (4, 8, 8)


def op(task: Task, inputs: str, output: str, before: Any = MAP, after: Any = MAP, **more: Any) -> Operator:
    return Operator(more.pop("label", task.name), task, tuple(inputs.split()), output, before, after, **more)


def conv(inputs: str, output: str, before: Any = MAP, after: Any = MAP, **more: Any) -> Operator:
    return op(Task.CONV, inputs, output, before, after, kernel=(3, 3), **more)


def network(*operators: Operator, outputs: tuple[str, ...] | None = None) -> ForeignNetwork:
    return ForeignNetwork(operators, {"image": MAP}, outputs or (operators[-1].output,), "int8")


def rows(*operators: Operator, **more: Any) -> Lowered:
    return lower(network(*operators, **more))


def table(*operators: Operator, **more: Any) -> LayerTable:
    foreign = network(*operators, **more)
    return from_document(to_document(foreign, lower(foreign)))[0]


def kinds(lowered: Lowered) -> list[Kind]:
    return [row.layer.kind for row in lowered.rows]


def test_functions_of_one_tensor_lie_on_it() -> None:
    swish = rows(
        conv("image", "a", learned=4),
        op(Task.MULTIPLY, "a", "scale", learned=4),
        op(Task.ADD, "scale", "shift", learned=4),
        op(Task.MULTIPLY, "shift", "gate"),
        op(Task.MULTIPLY, "shift gate", "swish"),
        op(Task.VIEW, "swish", "seen"),
        conv("seen", "b"),
    )
    assert kinds(swish) == [Kind.CONV, Kind.CONV]
    assert swish.rows[1].layer.input_a == 0
    assert swish.rows[0].layer.channel_params == 3  # a bias, a scale and a shift a channel


def test_two_values_that_others_read_have_a_place_each() -> None:
    before_activation = rows(
        conv("image", "a"),
        op(Task.MULTIPLY, "a", "relu"),
        conv("relu", "b"),
        op(Task.ADD, "a b", "sum"),
    )
    assert kinds(before_activation) == [Kind.CONV, Kind.MULTIPLY, Kind.CONV, Kind.ADD]
    assert [row.layer.input_a for row in before_activation.rows] == [NETWORK_INPUT, 0, 1, 2]


def test_a_function_of_a_tensor_and_an_answer_that_is_the_tensor() -> None:
    assert kinds(rows(conv("image", "a"), op(Task.MULTIPLY, "a", "soft"), outputs=("soft",))) == [Kind.CONV]
    assert len(rows(conv("image", "a"), op(Task.MULTIPLY, "a", "soft"), outputs=("soft", "a")).rows) == 2


def test_learned_numbers_that_no_channel_takes_stay_an_operator() -> None:
    positions = rows(conv("image", "a"), op(Task.ADD, "a", "placed", learned=256), conv("placed", "b"))
    assert kinds(positions) == [Kind.CONV, Kind.ADD, Kind.CONV]
    assert positions.rows[1].layer.channel_params == 64
    odd = rows(op(Task.ADD, "image", "placed", learned=6), conv("placed", "b")).rows[0].layer
    assert (odd.out_channels, odd.channel_params, odd.input_b) == (1, 6, NO_INPUT)


def test_a_border_of_a_window_has_no_tensor_and_any_other_has() -> None:
    padded = (4, 10, 10)
    folded = rows(op(Task.PAD, "image", "pad", MAP, padded), conv("pad", "a", padded, MAP))
    assert kinds(folded) == [Kind.CONV]
    assert (folded.rows[0].layer.in_height, folded.rows[0].layer.out_height) == (8, 8)
    wider = rows(conv("image", "a"), op(Task.PAD, "a", "pad", MAP, (8, 8, 8)), conv("pad", "b", (8, 8, 8)))
    assert kinds(wider) == [Kind.CONV, Kind.OTHER, Kind.CONV]


def test_a_sum_overwrites_what_dies_with_it() -> None:
    for order in ("a b", "b a"):
        both = table(conv("image", "a"), conv("a", "b"), op(Task.ADD, order, "sum"), conv("sum", "c"))
        assert (both.input_a[0, 2], both.input_b[0, 2]) == (1, 0)  # b is the newest
    held = table(
        conv("image", "a"), conv("a", "b"), op(Task.ADD, "a b", "sum"), op(Task.CONCAT, "sum b", "c", after=(8, 8, 8))
    )
    assert held.input_a[0, 2] == 0  # b is read again, a is not
    sram = price_table(held, "c", schedule="none")["peak_sram_bytes"][0]
    assert sram == 4 * 256  # sum on a, b, and c of twice the size


def test_third_inputs_and_answers_stay_alive() -> None:
    wide = (12, 8, 8)
    joined = table(
        conv("image", "a"),
        conv("a", "b"),
        conv("b", "c"),
        op(Task.CONCAT, "a b c", "d", MAP, wide),
        conv("d", "e", wide),
    )
    assert joined.last_use[0].tolist() == [3, 3, 3, 4, 4]
    assert price_table(joined, "c", schedule="none")["peak_sram_bytes"][0] == 6 * 256
    answers = table(conv("image", "a"), conv("a", "b"), conv("b", "c"), outputs=("a", "c"))
    assert answers.last_use[0].tolist() == [2, 2, 2]


def test_several_means_in_a_row_are_one() -> None:
    half = (4, 8, 1)
    means = rows(conv("image", "a"), op(Task.POOL, "a", "m", MAP, half), op(Task.POOL, "m", "n", half, (4, 1, 1)))
    assert kinds(means) == [Kind.CONV, Kind.POOL]
    assert (means.rows[1].layer.in_width, means.rows[1].layer.out_height) == (8, 1)


def test_unknown_operators_are_counted_and_end_patch_stages() -> None:
    odd = op(Task.UNKNOWN, "a", "b", learned=10, label="[red]Odd")
    foreign = network(conv("image", "a"), odd, conv("b", "c"), conv("c", "d"))
    made, unknown, _, notes = from_document(to_document(foreign, lower(foreign)))
    assert unknown == {"[red]Odd": 1}
    assert "MISSING of unknown operators, whose tensors count: 1 x [red]Odd" in notes[0]
    assert made.slot_names[1] == "1 red_odd"
    priced = price_table(made, "c", schedule="none")
    assert priced["params"][0] == 3 * 9 * 16 + 10
    assert price_table(made, "c", schedule=(2, 1))["split"][0] == 1
    with pytest.raises(WrongUse, match=r"blocks that can end a patch stage: 1$"):
        price_table(made, "c", schedule=(2, 3))


def test_kernels_that_are_not_square_count_right_and_are_not_patched() -> None:
    long = op(Task.CONV, "image", "a", kernel=(1, 5))
    made = table(long, conv("a", "b"), conv("b", "c"))
    assert price_table(made, "c")["macs"][0] == 64 * 16 * (5 + 9 + 9)
    assert not made.cut.any()
    dilated = table(conv("image", "a", dilation=(2, 2)), conv("a", "b"))
    assert not dilated.cut.any()


@pytest.mark.parametrize(
    ("operators", "said"),
    [
        ((conv("nowhere", "a"),), "reads a tensor that nothing made"),
        ((conv("image", "a"), conv("image", "a")), "makes a tensor a second time"),
        ((op(Task.VIEW, "image", "a"),), "no operator that computes anything"),
        ((conv("image", "a", learned=6),), "6 learned numbers of 4 channels"),
        ((conv("image", "a", (1 << 20, 1, 1), (1 << 20, 1 << 10, 1 << 10)),), "more than any machine can"),
    ],
)
def test_graphs_that_cannot_be(operators: tuple[Operator, ...], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        rows(*operators)


def test_one_picture_goes_in() -> None:
    two = ForeignNetwork((conv("image", "a"),), {"image": MAP, "other": MAP}, ("a",), "int8")
    with pytest.raises(WrongUse, match="2 inputs"):
        lower(two)


@pytest.mark.parametrize(("cell", "value"), [(4, 5), (7, 0), (7, 1 << 31), (2, 0)])
def test_rows_are_checked_again_on_this_side(cell: int, value: int) -> None:
    document = to_document(network(conv("image", "a")), rows(conv("image", "a")))
    document["rows"][0][cell] = value
    with pytest.raises(WrongUse, match="operator '0 conv'"):
        from_document(document)
