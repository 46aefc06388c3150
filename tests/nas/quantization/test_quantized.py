"""Networks in few bits, simulated in floats."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from nas.quantization.affine import Affine, activation, quantized_weights
from nas.quantization.aware import trainable, write_back
from nas.quantization.capture import capture, check_norms
from nas.quantization.quantized import quantize
from nas.quantization.ranges import Range, ranges
from nas.quantization.smoothing import is_smoothed, smooth
from search_spaces.combinators.quantization import WithQuantization
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.policy import FP32, INT8, QuantizationPolicy, quantizable_names
from search_spaces.core.registry import space_class, space_names

FACTS = InputFacts(channels=3, height=32, width=32, classes=4, pictures=4000)
SPACES = [name for name in space_names() if not name.startswith("snnet") and name != "simqnas"]


def space_of(name: str) -> WithQuantization:
    space = space_class(f"{name}+quantization").configured({"quantize": "fp32,int8,w4a8,w4"}, FACTS)
    assert isinstance(space, WithQuantization)
    return space


def built(space: WithQuantization, architecture: Architecture) -> tuple[nn.Module, list[str], torch.Tensor]:
    """A network with plausible batch norms, the names of its operators, and pictures."""
    torch.manual_seed(0)
    network = space.build(architecture)
    pictures = torch.randn(8, *space.input_size(architecture))
    with torch.no_grad():
        for _ in range(3):
            network.train()(pictures)
    return network.eval(), quantizable_names(space.decode(space.population([architecture]))), pictures


def small(name: str, width: str) -> tuple[nn.Module, list[str], torch.Tensor, QuantizationPolicy]:
    space = space_of(name)
    [chosen] = [each for each in space.widths if each.name == width]
    architecture = space.uniform(space.inner.extremes()[0], chosen)
    return *built(space, architecture), space.policy(architecture)


@pytest.mark.parametrize("name", SPACES)
def test_graph_and_table_keep_tensors_alike(name: str) -> None:
    space = space_of(name)
    for architecture in space.sample(np.random.default_rng(0), 3):
        table = space.decode(space.population([architecture]))
        network, names, pictures = built(space, architecture)
        quantized = quantize(network, names, space.policy(architecture), [pictures])
        assert table.widths is not None
        bits = dict(zip(table.slot_names, table.widths.kept_bits[0].tolist(), strict=True))
        for each in quantized.captured.operators[:-1]:  # the last one's output is the network's, and stays a float
            kept = quantized.kept.get(each.kept)
            assert (kept.bits if kept else 32) == bits[each.name], each.name


@pytest.mark.parametrize("name", SPACES)
def test_floats_stay_floats_and_int8_is_near(name: str) -> None:
    network, names, pictures, _ = small(name, "fp32")
    with torch.no_grad():
        expected = network(pictures)
        floats = quantize(network, names, QuantizationPolicy(dict.fromkeys(names, FP32)), [pictures]).simulated()
        assert torch.allclose(floats(pictures), expected, atol=1e-5)
        int8 = quantize(network, names, QuantizationPolicy(dict.fromkeys(names, INT8)), [pictures]).simulated()
        difference = (int8(pictures) - expected).norm() / expected.norm()
        assert 0 < difference < 0.5
        assert torch.equal(network(pictures), expected)  # the network itself is left as it was


def test_rounding_in_place_is_the_same_rounding() -> None:
    values = torch.linspace(-3, 3, 10001)
    how = activation(Range(-1.0, 2.5), 8)
    assert torch.allclose(how.round_(values.clone()), how.rounded(values), atol=1e-6)
    assert torch.allclose(how.real(how.integers(values)), how.rounded(values), atol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.3, 0.7), (-5.0, 0.0), (0.0, 0.0)])
def test_zero_is_exact(low: float, high: float) -> None:
    for scheme in ("symmetric", "asymmetric"):
        for bits in (2, 4, 8):
            how = activation(Range(low, high), bits, scheme)
            assert how.rounded(torch.zeros(1)).item() == 0.0
            assert how.least <= how.zero_point <= how.most
            assert scheme == "asymmetric" or how.zero_point == 0


def test_weights_have_a_scale_a_channel() -> None:
    weight = torch.tensor([[1.0, -0.5], [10.0, 5.0], [0.0, 0.0]])
    found = quantized_weights(weight, 8)
    assert found is not None
    assert found.integers.tolist() == [[127, -64], [127, 64], [0, 0]]
    assert torch.allclose(found.scales, torch.tensor([1 / 127, 10 / 127, 1.0]))
    whole = quantized_weights(weight, 4, per_channel=False)
    assert whole is not None
    assert whole.scales.shape == (1,)
    assert int(whole.integers.abs().max()) == 7
    assert quantized_weights(weight, 32) is None


def _identity() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.Conv2d(1, 1, 1))


def test_a_rare_extreme_is_left_away_by_a_percentile() -> None:
    network = _identity()
    nn.init.ones_(network[0].weight)  # type: ignore[index]
    pictures = torch.rand(20, 1, 32, 32)
    pictures[0, 0, 0, 0] = 100.0
    captured = capture(network, ["a", "b"])
    kept = captured.operators[0].kept
    found = {how: ranges(captured, [kept], [pictures], how)[kept] for how in ("minmax", "percentile", "entropy")}
    assert found["minmax"] == Range(0.0, 100.0)
    assert found["percentile"].high < 2.0
    assert found["entropy"].high < 100.0


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        (torch.full((4, 1, 8, 8), 0.5), "one constant"),
        (torch.empty(0, 1, 8, 8), "there are none"),
        (torch.full((4, 1, 8, 8), float("nan")), "not finite"),
    ],
)
def test_pictures_that_teach_nothing_are_refused(pictures: torch.Tensor, told: str) -> None:
    captured = capture(_identity(), ["a", "b"])
    with pytest.raises(FitnasError, match=told):
        ranges(captured, [captured.operators[0].kept], [pictures] if len(pictures) else [])


def test_an_untouched_norm_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    with pytest.raises(FitnasError, match="batch norm 1 was never trained"):
        check_norms(network)
    network(torch.randn(4, 1, 4, 4))
    check_norms(network)


def test_a_policy_of_another_network_is_refused() -> None:
    network, names, pictures, policy = small("mcunetv2", "int8")
    foreign = QuantizationPolicy({name + "x": each for name, each in policy.widths.items()})
    with pytest.raises(WrongUse, match="nas quantize"):
        quantize(network, names, foreign, [pictures])
    with pytest.raises(FitnasError, match="operators with weights, its operator table"):
        capture(network, names[1:])


def test_smoothing_changes_no_float() -> None:
    network, names, pictures, _ = small("vit", "int8")
    captured = capture(network, names)
    policy = QuantizationPolicy(dict.fromkeys(names, INT8))
    assert is_smoothed(captured, policy)
    with torch.no_grad():
        before = captured.graph(pictures)
        smooth(captured, policy, [pictures])
        assert torch.allclose(captured.graph(pictures), before, atol=1e-4)
    assert not is_smoothed(captured, QuantizationPolicy(dict.fromkeys(names, FP32)))


def test_what_is_trained_under_a_policy_goes_back_into_the_network() -> None:
    for name in ("mcunetv2", "vit"):
        network, names, pictures, _ = small(name, "int8")
        quantized = quantize(network, names, QuantizationPolicy(dict.fromkeys(names, INT8)), [pictures])
        graph = trainable(quantized)
        optimizer = torch.optim.SGD(graph.parameters(), 0.05)
        before = graph(pictures).detach()
        for _ in range(3):
            loss = nn.functional.cross_entropy(graph(pictures), torch.arange(8) % 4)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        after = graph(pictures).detach()
        assert not torch.allclose(before, after)
        plain = copy.deepcopy(network)
        write_back(quantized, graph, plain)
        with torch.no_grad():
            again = quantize(plain.eval(), names, quantized.policy, [pictures]).simulated()
            assert (again(pictures) - after).norm() / after.norm() < 0.1


def test_values_of_no_module_go_back_too() -> None:
    network, names, pictures, policy = small("tinyvit", "int8")
    quantized = quantize(network, names, policy, [pictures])
    graph = trainable(quantized)
    with torch.no_grad():
        for parameter in graph.parameters():
            parameter.add_(0.25)
    trained = {name: value.clone() for name, value in graph.named_parameters() if name.endswith("attention.biases")}
    write_back(quantized, graph, network)
    assert trained
    for name, value in trained.items():
        assert torch.equal(network.get_parameter(name), value), name


def test_an_affine_tensor_has_signed_bounds() -> None:
    assert (Affine(4, 1.0, 0).least, Affine(4, 1.0, 0).most) == (-8, 7)
