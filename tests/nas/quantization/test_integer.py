"""A network in integers, number by number against plain Python, and networks of every space against rounded floats."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from nas.quantization import operators as ops
from nas.quantization.affine import Affine
from nas.quantization.integer import IntegerNetwork
from nas.quantization.integer_forms import check_integers, float_operators
from nas.quantization.quantized import Quantized, Rounding, quantize
from nas.quantization.requantize import Requantization
from nas.training.recalibrate import recalibrate
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.policy import QuantizationPolicy, quantizable_names, width
from search_spaces.core.registry import space_class
from tests.contracts.conftest import FACTS
from tests.nas.quantization import plain_integers as plain

NAMES = ("stem", "depthwise", "project", "squeeze", "widen", "classifier")


class Small(nn.Module):
    """Every operator that integers have, on maps of a few pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1, groups=4), nn.SiLU())
        self.project = nn.Conv2d(4, 4, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze, self.gate = nn.Conv2d(4, 4, 1), nn.Hardsigmoid()
        self.largest = nn.MaxPool2d(3, 2, 1)
        self.widen = nn.Sequential(nn.Conv2d(4, 3, 1), nn.ReLU())
        self.classifier = nn.Linear(28, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.project(self.depthwise(x))
        x = x * self.gate(self.squeeze(self.pool(x)))
        x = self.largest(x)
        x = torch.cat([x, self.widen(x)], dim=1)
        x = functional.avg_pool2d(x, 2, 1, ceil_mode=True, count_include_pad=False)
        return self.classifier(torch.cat([x.flatten(1), x.flatten(1)], dim=1)[:, :28])


def small(seed: int = 0) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(seed)
    network, pictures = Small(), 3 * torch.randn(6, 2, 9, 9)
    recalibrate(network, [pictures])
    return network.eval(), pictures


def under(network: nn.Module, pictures: Tensor, names: tuple[str, ...] = NAMES, **policy: Any) -> Quantized:
    widths = policy.pop("widths", {})
    found = QuantizationPolicy({name: width(widths.get(name, "int8")) for name in names}, **policy)
    return quantize(network, names, found, [pictures])


Values = dict[str, Tensor]


@pytest.mark.parametrize("policy", [{}, {"scheme": "symmetric"}, {"granularity": "tensor"}])
def test_every_integer_is_what_plain_python_computes(policy: dict[str, str]) -> None:
    network, pictures = small()
    quantized = under(network, pictures, **policy)
    integers = IntegerNetwork.of(quantized)
    values = integers.integers(pictures[:1])
    kinds = set()
    for each in integers.operators:
        check: Callable[..., None] | None = CHECKS.get(type(each))
        if check is not None and each.output in integers.kept:
            check(each, quantized, integers.kept, values)
            kinds.add(type(each))
    assert kinds == set(CHECKS)


def test_widths_below_8_have_bounds_of_their_own() -> None:
    network, pictures = small()
    quantized = under(network, pictures, widths={"stem": "w4a8", "depthwise": "w8a4", "widen": "w3a5"})
    integers = IntegerNetwork.of(quantized)
    values = integers.integers(pictures[:1])
    by_output = {each.output: each for each in integers.operators}
    for each in integers.operators:
        if isinstance(each, ops.Convolution) and each.output in integers.kept:
            check_convolution(each, quantized, integers.kept, values)
    for name, how in integers.kept.items():
        assert int(values[name].min()) >= how.least
        assert int(values[name].max()) <= how.most
    stem = next(each for each in by_output.values() if isinstance(each, ops.Convolution))
    assert int(stem.weights.abs().max()) == 7
    assert any(isinstance(each, ops.Rescale) for each in integers.operators)


def check_convolution(each: Any, quantized: Quantized, kept: dict[str, Affine], values: Values) -> None:
    before, after = kept[each.inputs[0]], kept[each.output]
    node = next(name for name, own in quantized.weights.items() if own and own.integers is each.weights)
    weights, module = quantized.weights[node], quantized.captured.module(quantized.captured.node(node))
    assert weights is not None
    assert isinstance(module, nn.Conv2d)
    scales = [float(scale) * before.scale for scale in weights.scales.expand(module.out_channels)]
    bias = [round(b / scale) for b, scale in zip(module.bias.tolist(), scales, strict=True)]  # type: ignore[union-attr]
    expected = plain.convolution(
        values[each.inputs[0]][0].tolist(),
        before.zero_point,
        weights.integers.tolist(),
        bias,
        [Fraction(scale / after.scale) for scale in scales],
        after.zero_point,
        bounds_of(quantized, node, after),
        module.stride[0],
        module.padding[0],  # type: ignore[arg-type]
        module.groups,
    )
    assert values[each.output][0].tolist() == expected


def bounds_of(quantized: Quantized, node: str, how: Affine) -> tuple[int, int]:
    [reader, *_] = quantized.captured.node(node).users
    behind = quantized.captured.module(reader)
    least = how.zero_point if isinstance(behind, nn.ReLU | nn.ReLU6) else -(2 ** (how.bits - 1))
    most = 2 ** (how.bits - 1) - 1
    return least, min(most, how.zero_point + round(6 / how.scale)) if isinstance(behind, nn.ReLU6) else most


def check_pairs(function: Any) -> Callable[..., None]:
    def check(each: Any, quantized: Quantized, kept: dict[str, Affine], values: Values) -> None:
        hows = [kept[name] for name in (*each.inputs, each.output)]
        pair = torch.broadcast_tensors(*(values[name] for name in each.inputs))
        scales, zeros = tuple(how.scale for how in hows), tuple(how.zero_point for how in hows)
        expected = [
            function(a, b, scales, zeros, (-128, 127)) for a, b in torch.stack(pair, -1).reshape(-1, 2).tolist()
        ]
        assert values[each.output].flatten().tolist() == expected

    return check


def check_mean(each: Any, quantized: Quantized, kept: dict[str, Affine], values: Values) -> None:
    before, after = kept[each.inputs[0]], kept[each.output]
    factor = Fraction(before.scale / after.scale)
    maps = values[each.inputs[0]][0].flatten(1).tolist()
    expected = [plain.mean(one, before.zero_point, factor, after.zero_point, (-128, 127)) for one in maps]
    assert values[each.output].flatten().tolist() == expected


def check_average(each: Any, quantized: Quantized, kept: dict[str, Affine], values: Values) -> None:
    assert kept[each.inputs[0]] == kept[each.output]
    given, made = values[each.inputs[0]][0].tolist(), values[each.output][0].tolist()
    for channel, rows in enumerate(made):
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                window = [v for line in given[channel][y : y + 2] for v in line[x : x + 2]]
                assert value == plain.average(window, (-128, 127))


def check_largest(each: Any, quantized: Quantized, kept: dict[str, Affine], values: Values) -> None:
    given = functional.pad(values[each.inputs[0]][0], (1, 1, 1, 1), value=-128)
    for y in range(values[each.output].shape[2]):
        for x in range(values[each.output].shape[3]):
            window = given[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            assert values[each.output][0, :, y, x].tolist() == window.amax(dim=(1, 2)).tolist()


def check_lookup(each: Any, quantized: Quantized, kept: dict[str, Affine], values: Values) -> None:
    before, after = kept[each.inputs[0]], kept[each.output]
    function = quantized.captured.module(quantized.captured.node(each.output))
    assert len(each.table) == 256
    assert function is not None
    for given, made in zip(values[each.inputs[0]].flatten(), values[each.output].flatten(), strict=True):
        real = float(function(torch.tensor((int(given) - before.zero_point) * before.scale)))
        expected = min(max(round(real / after.scale) + after.zero_point, -128), 127)
        assert abs(int(made) - expected) <= (abs(real / after.scale % 1 - 0.5) < 1e-3)  # a float's last bit


CHECKS: dict[type, Callable[..., None]] = {
    ops.Convolution: check_convolution,
    ops.Addition: check_pairs(plain.addition),
    ops.Product: check_pairs(plain.product),
    ops.Mean: check_mean,
    ops.AveragePool: check_average,
    ops.MaxPool: check_largest,
    ops.Lookup: check_lookup,
}


def test_the_published_convolution() -> None:
    """tensorflow/lite/micro/kernels/conv_test.cc, SimpleTestQuantizedPerChannel: within one step, as there."""
    pictures = torch.tensor([[1.0, 1, 1, 1, 2, 2, 2, 2], [1.0, 2, 3, 4, 1, 2, 3, 4]]).reshape(2, 1, 2, 4)
    weight = torch.tensor([[1.0, 2, 3, 4], [-1, 1, -1, 1], [-1, -1, 1, 1]]).reshape(3, 1, 2, 2)
    bias, scale_in, scale_out = torch.tensor([1.0, 2, 3]), 0.5, 1.0
    scales = weight.flatten(1).abs().amax(dim=1).double() / 127
    convolution = ops.Convolution(
        "y",
        ("x",),
        torch.round(weight / scales.float().reshape(3, 1, 1, 1)).to(torch.int8),
        8,
        torch.round(bias.double() / (scales * scale_in)).int(),
        0,
        Requantization.of(scales * scale_in / scale_out, 0, (-128, 127)),
        scales * scale_in,
        (2, 2),
        (0, 0),
        1,
    )
    found = convolution.run(torch.round(pictures / scale_in).int())
    golden = torch.tensor([18, 2, 5, 18, 2, 5, 17, 4, 3, 37, 4, 3]).reshape(2, 1, 2, 3).permute(0, 3, 1, 2)
    assert int((found - golden).abs().max()) <= 1
    assert int((found != golden).sum()) <= 1


def test_a_dead_channel_keeps_its_bias() -> None:
    network, pictures = small()
    convolution: Any = network.get_submodule("project")
    with torch.no_grad():
        convolution.weight[1] = 1e-30
        convolution.weight[2] = 0
        convolution.bias.fill_(1.5)
    quantized = under(network, pictures)
    integers = IntegerNetwork.of(quantized)
    made = next(each for each in integers.operators if each.output == "project")
    assert isinstance(made, ops.Convolution)
    assert int(made.bias.abs().max()) < 1.001 * 2**30
    dead = integers.kept["project"].real(integers.integers(pictures)["project"])[:, 1:3]
    assert float((dead - 1.5).abs().max()) <= integers.kept["project"].scale / 2 + 1e-6


def test_constant_pictures_teach_nothing() -> None:
    network, _ = small()
    with pytest.raises(FitnasError, match="all calibration pictures are one constant"):
        under(network, torch.ones(4, 2, 9, 9))


class Checking(fx.Interpreter):
    """Computes each node of rounded floats from what the integer network made before it, and notes the worst
    difference in steps of its output's scale.
    """

    def __init__(self, quantized: Quantized, values: Values) -> None:
        own = [id(how) for how in quantized.read.values()]

        def rounding(how: Affine, in_place: bool) -> nn.Module:
            return Rounding(how, in_place, trainable=True) if id(how) in own else nn.Identity()

        super().__init__(quantized.rebuilt(quantized.rounded_module, rounding))
        self.quantized, self.values, self.worst = quantized, values, dict[str, float]()

    def run_node(self, n: fx.Node) -> Any:
        value, how = super().run_node(n), self.quantized.kept.get(n.name)
        if how is None:
            return self.values.get(f"{n.name}.real", value)
        real = how.real(self.values[n.name])
        self.worst[n.name] = float((how.rounded(value) - real).abs().max()) / how.scale
        return real


@pytest.mark.parametrize("name", ["mcunetv2", "tinynet", "cct", "vit", "tinyvit"])
def test_every_operator_of_every_space_is_a_step_from_rounded_floats_at_most(name: str) -> None:
    space = space_class(name).configured({}, FACTS["digits"])
    architecture = space.extremes()[0]
    torch.manual_seed(0)
    network, pictures = space.build(architecture), torch.randn(8, *space.input_size(architecture))
    recalibrate(network, [pictures])
    names = tuple(quantizable_names(space.decode(space.population([architecture]))))
    for widths in ({}, dict.fromkeys(names[1::2], "fp32"), dict.fromkeys(names[::3], "w4")):
        quantized = under(network.eval(), pictures, names, widths=widths)
        integers = IntegerNetwork.of(quantized)
        checking = Checking(quantized, integers.tensors(pictures))
        with torch.no_grad():
            logits = checking.run(pictures)
        assert set(checking.worst) == set(quantized.kept)
        assert max(checking.worst.values()) < 1.01
        assert float((integers(pictures) - logits).abs().max()) < 1e-3 * float(logits.abs().max())


@pytest.fixture(scope="module")
def digits() -> tuple[nn.Module, Tensor, Tensor]:
    """A network that has learnt digits, those it learnt from, and 597 others."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pictures, labels = torch.from_numpy(found.images).float().unsqueeze(1) / 8 - 1, torch.from_numpy(found.target)
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 12, 3, 1, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6()),
        *(nn.Conv2d(12, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10)),
    )
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(network(pictures[:1200]), labels[:1200]).backward()
        optimizer.step()
    return network.eval(), pictures[:1200], pictures[1200:]


@pytest.mark.parametrize("policy", [{}, {"scheme": "symmetric"}, {"calibration": "entropy"}])
def test_logits_in_8_bits_change_the_class_only_where_two_are_as_good_as_equal(
    policy: dict[str, str], digits: tuple[nn.Module, Tensor, Tensor]
) -> None:
    network, known, others = digits
    quantized = under(network, known, ("first", "second", "classifier"), **policy)
    reference, integers = IntegerNetwork.of(quantized), IntegerNetwork.of(quantized, integer_logits=True)
    how = integers.kept[integers.output]
    expected, got = reference(others), integers(others)
    assert how.bits == 8
    assert set(integers.integers(others)[integers.output].unique().tolist()) <= set(range(-128, 128))
    inside = expected.clamp(how.real(torch.tensor(-128)), how.real(torch.tensor(127)))
    assert float((inside - got).abs().max()) <= 0.51 * how.scale  # rounded twice
    best = expected.topk(2).values
    differ = expected.argmax(1) != got.argmax(1)
    assert float(differ.float().mean()) <= 0.01
    assert bool((best[differ, 0] - best[differ, 1] <= how.scale).all())


def test_what_has_no_integer_form_is_named() -> None:
    network, pictures = small()
    whole = IntegerNetwork.of(under(network, pictures), integer_logits=True)
    widths = {name: width("int8") for name in NAMES}
    assert float_operators(whole) == []
    check_integers(whole, widths, ("int8",), "tflm", "export it --to onnx --int8")
    partly = IntegerNetwork.of(under(network, pictures, widths={"squeeze": "fp32"}))
    assert [each for each in float_operators(partly) if each.startswith("squeeze")]
    with pytest.raises(WrongUse, match=r"no integer form: .*pool \(AdaptiveAvgPool2d\).*--to onnx"):
        check_integers(partly, widths, ("int8",), "tflm", "export it --to onnx --int8")
    with pytest.raises(WrongUse, match=r"executes int8 alone.*stem \(w4a8\)"):
        check_integers(whole, widths | {"stem": width("w4a8")}, ("int8",), "tflm", "export it --to onnx")
    with pytest.raises(FitnasError, match="range of the logits"):
        IntegerNetwork.of(replace(under(network, pictures), logits=None), integer_logits=True)
    last = under(network, pictures, widths={"classifier": "fp32"})
    with pytest.raises(FitnasError):
        check_integers(IntegerNetwork.of(last, integer_logits=True), widths, ("int8",), "tflm", "export it")
