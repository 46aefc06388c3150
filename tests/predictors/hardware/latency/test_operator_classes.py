"""Features of operators, counted by hand."""

from dataclasses import replace

import numpy as np

from predictors.hardware.latency import latency_predictor
from predictors.hardware.latency.operator_classes import operator_classes, operator_shapes
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.layer_table import NETWORK_INPUT, NO_INPUT, WEIGHTED, Kind, Layer, LayerTable, Widths
from search_spaces.core.registry import space_class

STEM = Layer("stem", Kind.CONV, NETWORK_INPUT, NO_INPUT, 3, 8, 16, 16, 8, 8, kernel=3, stride=2)
DEPTHWISE = Layer("dw", Kind.DEPTHWISE, 0, NO_INPUT, 8, 8, 8, 8, 8, 8, kernel=5, groups=8)
GROUPED = Layer("grouped", Kind.CONV, 1, NO_INPUT, 8, 8, 8, 8, 8, 8, groups=2)
ADD = Layer("add", Kind.ADD, 2, 0, 8, 8, 8, 8, 8, 8)
SHORT = [STEM, Layer("add", Kind.ADD, 0, 0, 8, 8, 8, 8, 8, 8)]
TABLE = LayerTable.stack([[STEM, DEPTHWISE, GROUPED, ADD], SHORT])


def test_classes() -> None:
    features = operator_classes(TABLE)
    named = dict(zip(features.columns, features.values.T.tolist(), strict=True))
    stem, map_elements = 3 * 8 * 9, 8 * 64
    assert named["macs conv 3x3"] == [stem * 64] * 2
    assert named["macs depthwise 5x5"] == [8 * 25 * 64, 0]
    assert named["macs conv grouped"] == [8 * 8 // 2 * 64, 0]
    assert named["number products"] == [2, 1]
    assert named["number depthwise"] == [1, 0]
    assert named["number others"] == [1, 1]
    moved_stem = 3 * 256 + map_elements + stem
    assert named["moved products"] == [moved_stem + 2 * map_elements + 32, moved_stem]
    assert named["moved depthwise"] == [2 * map_elements + 8 * 25, 0]
    assert named["moved others"] == [3 * map_elements] * 2
    used = {name for name, value in named.items() if any(value)}
    assert used == {
        *("macs conv 3x3", "macs depthwise 5x5", "macs conv grouped"),
        *(f"{what} {group}" for what in ("number", "moved") for group in ("products", "depthwise", "others")),
    }


def test_integers_beside_floats() -> None:
    # int8 stem of a float image; a depthwise convolution in floats; one of int4 weights that floats multiply; an int8
    # one whose output stays float, so that floats multiply there too
    last = Layer("last", Kind.CONV, 2, NO_INPUT, 8, 4, 8, 8, 8, 8)
    layers = [STEM, DEPTHWISE, GROUPED, last]
    bits = {"weight_bits": [8, 32, 4, 8], "input_bits": [8, 32, 32, 8], "kept_bits": [8, 32, 32, 32]}
    cells = {name: np.array([values], dtype=np.int32) for name, values in bits.items()}
    table = replace(LayerTable.from_layers(layers), widths=Widths(scales=np.ones((1, 4), dtype=np.int32), **cells))
    features = operator_classes(table)
    named = dict(zip(features.columns, features.values[0].tolist(), strict=True))
    parts = ("few bits", "to integers", "to floats", "unpacked")
    mixed = {name: value for name, value in named.items() if value and any(part in name for part in parts)}
    assert mixed == {
        "macs conv in few bits": 3 * 8 * 9 * 64,
        "number in few bits": 1,
        "moved in few bits": 3 * 256 + 8 * 64,
        "number to integers": 1,
        "moved to integers": 3 * 256,
        "number to floats": 1,
        "moved to floats": 8 * 64,
        "macs unpacked products": 8 * 8 // 2 * 64 + 8 * 4 * 64,
        "number unpacked products": 2,
        "moved unpacked products": 32 + 8 * 4,
    }
    assert named["macs depthwise 5x5"] == 8 * 25 * 64
    assert named["macs conv grouped"] == named["macs conv 1x1"] == 0


def test_columns_do_not_depend_on_the_networks() -> None:
    whole = operator_classes(TABLE)
    alone = operator_classes(LayerTable.from_layers(SHORT))
    assert alone.columns == whole.columns
    assert (alone.values[0] == whole.values[1]).all()


def test_a_matrix_product_reads_both() -> None:
    product = Layer("qk", Kind.MATMUL, 0, 0, 8, 8, 64, 1, 64, 1, groups=2)
    tokens = Layer("tokens", Kind.LINEAR, NETWORK_INPUT, NO_INPUT, 4, 8, 64, 1, 64, 1)
    features = operator_classes(LayerTable.from_layers([tokens, product]))
    named = dict(zip(features.columns, features.values[0].tolist(), strict=True))
    assert named["macs matmul"] == 8 // 2 * 8 * 64
    assert named["macs linear"] == 4 * 8 * 64
    assert named["moved products"] == (4 * 64 + 8 * 64 + 32) + 3 * 8 * 64


def test_shapes() -> None:
    features = operator_shapes(TABLE)
    assert dict(zip(features.columns, features.values.T.tolist(), strict=True)) == {
        "conv 1x1 s1 g2 8x8x8 > 8x8x8": [1, 0],
        "conv 3x3 s2 g1 3x16x16 > 8x8x8": [1, 1],
        "depthwise 5x5 s1 g8 8x8x8 > 8x8x8": [1, 0],
        "add 1x1 s1 g1 8x8x8 > 8x8x8": [1, 1],
    }
    assert features.values.dtype == np.float64


def invented_milliseconds(table: LayerTable) -> np.ndarray:
    """What networks of a mixed policy would take where every way to run an operator has a price of its own.

    Unpacking a weight and multiplying by it without having arranged it are dear, as in onnxruntime.
    """
    assert table.widths is not None
    total = np.full(len(table), 10.0)
    for slot, kind in enumerate(table.kinds):
        if kind not in WEIGHTED:
            total += 2.0 * table.present[:, slot]
            continue
        of_one = table.in_channels[:, slot] // table.groups[:, slot] * table.kernel[:, slot] ** 2
        macs = of_one * table.out_channels[:, slot] * table.out_height[:, slot] * table.out_width[:, slot]
        weights = of_one * table.out_channels[:, slot]
        bits = [getattr(table.widths, name)[:, slot] for name in ("weight_bits", "input_bits", "kept_bits")]
        integers, in_floats = np.max(bits, axis=0) < 32, bits[0] == 32
        unpacked = macs * (2.0 if kind == Kind.DEPTHWISE else 0.05) + 5.0 * weights
        microseconds = np.where(integers, macs * 0.02, np.where(in_floats, macs * 0.03, unpacked)) / 1000
        total += np.where(table.present[:, slot], 1.0 + microseconds, 0.0)
    return total / 1000


def test_a_sum_tells_ways_to_run_an_operator_apart() -> None:
    settings = {"backbone": "micro", "resolutions": "32", "quantize": "fp32,int8,w4"}
    space = space_class("mcunetv2+quantization").configured(settings, InputFacts(3, 32, 32, 5, 300))
    known, asked = (space.decode(space.sample(np.random.default_rng(seed), 100)) for seed in (0, 1))
    model = latency_predictor("additive").fit(operator_classes(known).values, invented_milliseconds(known))
    errors = np.abs(model.predict(operator_classes(asked).values).mean / invented_milliseconds(asked) - 1)
    assert np.mean(errors < 0.05) > 0.9
