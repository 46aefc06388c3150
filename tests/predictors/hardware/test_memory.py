"""Known bytes of small graphs under each rule."""

import numpy as np
import pytest

from predictors.hardware.liveness import alive, liveness, running
from predictors.hardware.memory import memory_rule
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, Kind, Layer, LayerTable


def layer(name: str, kind: Kind, a: int, b: int = NO_INPUT, inside: int = 4, out: int = 4, **more: int) -> Layer:
    return Layer(name, kind, a, b, inside, out, 10, 10, 10, 10, **more)


def work(runtime: str, *layers: Layer, count_input: bool = False) -> list[float]:
    """Bytes alive at each operator."""
    live = liveness(LayerTable.from_layers(layers), memory_rule(runtime), count_input)
    return live.work[:, 0].tolist()


STEM = layer("stem", Kind.CONV, NETWORK_INPUT, inside=3, kernel=3)
# a block with a residual: 4 channels, 12 inside, 100 positions
BLOCK = (
    STEM,
    layer("expand", Kind.CONV, 0, inside=4, out=12),
    layer("depthwise", Kind.DEPTHWISE, 1, inside=12, out=12, kernel=3, groups=12),
    layer("project", Kind.CONV, 2, inside=12, out=4),
    layer("add", Kind.ADD, 3, 0),
    layer("pool", Kind.POOL, 4)._replace(out_height=1, out_width=1),
)


@pytest.mark.parametrize(
    ("runtime", "bytes_alive"),
    [
        # in + out; depthwise in place, beside the held residual; project onto it
        ("analytic", [400, 1600, 1600, 1600, 400, 404]),
        # in + out; depthwise in place beside one padded channel; project onto the residual
        ("c", [400, 1600, 1600 + 12 * 12, 1600, 400, 404]),
        # depthwise in place; residual held through project and addition
        ("tinyengine", [400, 1600, 1600, 2000, 1200, 404]),
    ],
)
def test_a_block_with_a_residual(runtime: str, bytes_alive: list[float]) -> None:
    assert work(runtime, *BLOCK) == bytes_alive


def test_the_image_counts_until_it_was_read() -> None:
    without, counted = work("c", *BLOCK), work("c", *BLOCK, count_input=True)
    assert counted == [without[0] + 300, *without[1:]]


def test_nothing_is_overwritten_that_is_read_later() -> None:
    """A block without an expanding convolution: its depthwise reads the residual itself."""
    block = (
        STEM,
        layer("depthwise", Kind.DEPTHWISE, 0, kernel=3, groups=4),
        layer("project", Kind.CONV, 1),
        layer("add", Kind.ADD, 2, 0),
        layer("end", Kind.CONV, 3),
    )
    assert work("analytic", *block) == [400, 800, 800, 400, 800]
    assert work("tinyengine", *block) == [400, 800, 1200, 1200, 800]


def test_an_output_larger_than_its_input_is_not_in_place() -> None:
    grows = layer("depthwise", Kind.DEPTHWISE, 0, inside=4, out=8, kernel=3, groups=4)
    assert work("tinyengine", STEM, grows, layer("end", Kind.CONV, 1, inside=8)) == [400, 1200, 1200]


def test_the_image_is_never_overwritten() -> None:
    first = layer("depthwise", Kind.DEPTHWISE, NETWORK_INPUT, kernel=3, groups=4)
    assert work("analytic", first, layer("end", Kind.CONV, 0)) == [400, 800]


def test_a_residual_that_is_read_again_is_not_written_onto() -> None:
    twice = (*BLOCK[:5], layer("again", Kind.ADD, 4, 0), layer("end", Kind.CONV, 5))
    # at the first addition the stem is still needed: the projection has bytes of its own
    assert work("analytic", *twice)[3:5] == [1200 + 400 + 400, 400 + 400]


def test_another_operator_before_the_addition_keeps_the_projection_apart() -> None:
    between = (*BLOCK[:4], layer("side", Kind.CONV, 0), layer("add", Kind.ADD, 3, 4), layer("end", Kind.CONV, 5))
    assert work("analytic", *between)[3] == 2000


def test_a_gate_is_multiplied_in_place() -> None:
    gated = (
        STEM,
        layer("squeeze", Kind.POOL, 0)._replace(out_height=1, out_width=1),
        layer("gate", Kind.CONV, 1)._replace(in_height=1, in_width=1, out_height=1, out_width=1),
        layer("multiply", Kind.MULTIPLY, 0, 2),
        layer("end", Kind.CONV, 3),
    )
    for runtime in ("analytic", "c", "tinyengine"):
        assert work(runtime, *gated) == [400, 404, 408, 404, 800]


def test_tinyengine_rounds_tensors_up_to_4_bytes() -> None:
    odd = layer("stem", Kind.CONV, NETWORK_INPUT, inside=3, out=3)._replace(out_height=3, out_width=3)
    assert work("tinyengine", odd, layer("end", Kind.POOL, 0, inside=3, out=3)._replace(out_height=1, out_width=1)) == [
        28,
        32,
    ]
    assert work("c", odd, layer("end", Kind.POOL, 0, inside=3, out=3)._replace(out_height=1, out_width=1)) == [28, 32]


def test_buffers_of_tinyengine() -> None:
    live = liveness(LayerTable.from_layers(BLOCK), memory_rule("tinyengine"), count_input=False)
    # columns of convolutions 4 * k * k * in, a padded depthwise map 2 * 12 * 12, and the stem's kernel 2 * 9 * 3 * 4
    assert live.scratch[:, 0].tolist() == [108, 16, 288, 48, 0, 0]
    assert live.constant.tolist() == [216]
    assert live.peak_bytes().tolist() == [2000 + 288 + 216]


def test_buffers_of_other_runtimes() -> None:
    for runtime in ("analytic", "c"):
        live = liveness(LayerTable.from_layers(BLOCK), memory_rule(runtime), count_input=False)
        assert live.peak_bytes().tolist() == [max(work(runtime, *BLOCK))]


def test_alive_counts_from_the_slot_behind_the_maker_to_the_last_reader() -> None:
    values = np.array([[5.0, 5.0], [7.0, 7.0], [11.0, 11.0]])
    last_use = np.array([[2, 1], [2, 1], [2, 2]])
    assert alive(values, last_use).tolist() == [[0, 0], [5, 5], [12, 0]]


@pytest.mark.parametrize("backwards", [False, True])
def test_running_is_numpys_accumulate(backwards: bool) -> None:
    values = np.random.default_rng(0).random((5, 7))
    flip = slice(None, None, -1) if backwards else slice(None)
    for operation in (np.add, np.maximum):
        expected = operation.accumulate(values[flip], axis=0)[flip]
        assert np.allclose(running(operation, values, backwards=backwards), expected, rtol=1e-15)
    assert running(np.add, values[:0]).shape == (0, 7)
