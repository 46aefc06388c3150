"""Zero-cost proxies: known answers, what they leave alone, and networks of every kind."""

import math

import pytest
import torch
from torch import Tensor, nn

from predictors.zero_cost import zero_cost_names, zero_cost_proxy
from search_spaces.core.errors import WrongUse
from search_spaces.core.input_facts import InputFacts
from search_spaces.core.registry import space_class

PICTURES = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8) % 4


def small_network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 4)
    )


@pytest.mark.parametrize("name", zero_cost_names())
def test_it_leaves_the_network_as_it_is_and_repeats_itself(name: str) -> None:
    network = small_network().eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    proxy = zero_cost_proxy(name)
    first = proxy.score(network, PICTURES, LABELS)
    assert math.isfinite(first)
    assert proxy.score(network, PICTURES, LABELS) == first
    assert not network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    with torch.no_grad():
        assert proxy.score(network, PICTURES, LABELS) == first


@pytest.mark.parametrize("name", zero_cost_names())
def test_it_tells_its_name_and_source(name: str) -> None:
    proxy = zero_cost_proxy(name)
    assert (proxy.name, bool(proxy.title), "arXiv" in proxy.source) == (name, True, True)


def test_one_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 pictures, got 1"):
        zero_cost_proxy("nwot").score(small_network(), PICTURES[:1], LABELS[:1])


def test_an_unknown_one_is_named_with_the_nearest() -> None:
    with pytest.raises(WrongUse, match="synflow"):
        zero_cost_proxy("sinflow")


class TestKnownAnswers:
    def test_nwot_counts_units_on_which_two_pictures_agree(self) -> None:
        network = nn.Sequential(nn.Flatten(), nn.ReLU())
        pictures = torch.tensor([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])  # agree on two of three units
        assert zero_cost_proxy("nwot").score(network, pictures, LABELS[:2]) == pytest.approx(math.log(3 * 3 - 2 * 2))

    def test_nwot_of_pictures_that_agree_on_everything_is_not_a_number(self) -> None:
        network = nn.Sequential(nn.Flatten(), nn.ReLU())
        assert math.isnan(zero_cost_proxy("nwot").score(network, torch.ones(2, 3), LABELS[:2]))

    def test_nwot_needs_activations(self) -> None:
        with pytest.raises(WrongUse, match="has none; leave nwot away"):
            zero_cost_proxy("nwot").score(nn.Flatten(), PICTURES, LABELS)

    def test_synflow_of_a_chain_is_the_product_of_its_weights_once_a_layer(self) -> None:
        network = nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False), nn.GELU(), nn.Linear(1, 1, bias=False))
        with torch.no_grad():
            network[1].weight.fill_(-2.0)
            network[3].weight.fill_(5.0)
        found = zero_cost_proxy("synflow").score(network, torch.randn(2, 1), LABELS[:2])
        assert found == pytest.approx(math.log(2 * 10.0))

    def test_synflow_of_weights_beyond_float32_is_finite(self) -> None:
        network = nn.Sequential(nn.Flatten(), *[nn.Linear(64, 64, bias=False) for _ in range(60)])
        for layer in network[1:]:
            nn.init.constant_(layer.weight, 10.0)  # type: ignore[arg-type]
        found = zero_cost_proxy("synflow").score(network, torch.randn(2, 64), LABELS[:2])
        assert found == pytest.approx(61 * math.log(64) + 60 * math.log(10) + math.log(60))

    def test_gradients_of_a_linear_network_with_equal_logits(self) -> None:
        network = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
        nn.init.ones_(network[1].weight)  # type: ignore[arg-type]
        pictures, labels = torch.tensor([[2.0], [4.0]]), torch.tensor([0, 0])
        # d loss / d weight = mean of (softmax - one hot) x picture = (-1/2, 1/2) x 3
        assert zero_cost_proxy("grad_norm").score(network, pictures, labels) == pytest.approx(1.5 * math.sqrt(2))
        assert zero_cost_proxy("snip").score(network, pictures, labels) == pytest.approx(3.0)

    def test_pictures_on_which_the_output_depends_alike_are_one_direction(self) -> None:
        linear = nn.Sequential(nn.Flatten(), nn.Linear(108, 4))
        found = zero_cost_proxy("jacob_cov").score(linear, PICTURES, LABELS)
        jitter = 1e-5
        expected = -(math.log(8 + jitter) + 1 / (8 + jitter)) - 7 * (math.log(jitter) + 1 / jitter)
        assert found == pytest.approx(expected, rel=1e-3)

    def test_an_output_that_depends_on_nothing_is_not_a_number(self) -> None:
        class Constant(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return 0 * x.flatten(1)

        assert math.isnan(zero_cost_proxy("jacob_cov").score(Constant(), PICTURES, LABELS))


@pytest.mark.parametrize("space_name", ["mcunetv2", "tinynet", "tinyvit", "vit", "cct"])
def test_every_proxy_scores_networks_of_a_space(space_name: str) -> None:
    space = space_class(space_name).configured({}, InputFacts(1, 8, 8, 10, 1797))
    architecture = space.extremes()[0]
    network = space.build(architecture)
    pictures = torch.randn(4, *space.input_size(architecture), generator=torch.Generator().manual_seed(0))
    scores = {name: zero_cost_proxy(name).score(network, pictures, LABELS[:4]) for name in zero_cost_names()}
    assert all(math.isfinite(score) for score in scores.values()), scores
