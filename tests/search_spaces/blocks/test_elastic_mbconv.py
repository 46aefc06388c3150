"""Elastic MBConv networks: crops, and agreement with the plain network of every sub-network."""

import numpy as np
import pytest
import torch

from search_spaces.blocks.elastic_convolutions import crop
from search_spaces.blocks.mbconv import MbconvNetwork
from search_spaces.core.errors import WrongUse
from tests.search_spaces.blocks.mbconv_family import DEPTH, STAGES, Family, family, largest, random_member


def keep_statistics(network: torch.nn.Module, x: torch.Tensor) -> None:
    """One batch of recalibration, written out."""
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    before = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats, norm.momentum = True, 1.0
    network.train()
    with torch.no_grad():
        network(x)
    for norm, tracked in zip(norms, before, strict=True):
        norm.track_running_stats = tracked
    network.eval()


def test_kernel_crop_is_the_centre() -> None:
    kernel = torch.arange(49.0).reshape(1, 1, 7, 7)
    assert crop(kernel, (1, 1, 3, 3))[0, 0].tolist() == [[16, 17, 18], [23, 24, 25], [30, 31, 32]]
    assert crop(kernel, (1, 1, 5, 5))[0, 0, 0].tolist() == [8, 9, 10, 11, 12]


def test_channel_crop_is_the_first_ones_and_shares_memory() -> None:
    weight = torch.arange(24.0).reshape(4, 6, 1, 1)
    assert crop(weight, (2, 3, 1, 1)).flatten().tolist() == [0, 1, 2, 6, 7, 8]
    assert crop(weight, (2, 3, 1, 1)).data_ptr() == weight.data_ptr()
    assert crop(weight, (4, 6, 1, 1)) is weight


@pytest.mark.parametrize("shape", [(5, 6, 3, 3), (4, 6, 4, 4), (4, 6, 9, 9)])
def test_crop_refuses_what_does_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(WrongUse, match="cannot be cut"):
        crop(torch.zeros(4, 6, 7, 7), shape)


def test_parameters_carry_the_names_of_the_plain_network_and_nothing_else() -> None:
    arguments = largest(mix=20)
    names = {name: tuple(value.shape) for name, value in MbconvNetwork(**arguments).named_parameters()}
    state = Family(arguments).elastic.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == names


@pytest.mark.parametrize("mix", [0, 20])
def test_random_members_agree_with_the_plain_network(mix: int) -> None:
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    space = Family(largest(mix))
    elastic = space.elastic
    for norm in (module for module in elastic.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        torch.nn.init.normal_(norm.bias)
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    calibration, x = torch.randn(16, 3, 24, 24), torch.randn(4, 3, 24, 24)
    for _ in range(12):
        architecture = space.add(*random_member(rng, mix))
        elastic.activate(architecture)
        plain = elastic.extract(architecture)
        with torch.no_grad():
            assert torch.allclose(elastic.train()(x), plain.train()(x), atol=1e-5)
            keep_statistics(elastic, calibration)
            keep_statistics(plain, calibration)
            assert torch.allclose(elastic(x), plain(x), atol=1e-5)
            assert plain(x).std() > 1e-3  # the comparison is not one of zeros


def test_the_largest_is_active_at_first() -> None:
    torch.manual_seed(0)
    arguments, x = largest(), torch.randn(4, 3, 24, 24)
    space = Family(arguments)
    plain = MbconvNetwork(**arguments)
    plain.load_state_dict(space.elastic.state_dict(), strict=False)
    assert torch.allclose(space.elastic.train()(x), plain.train()(x), atol=1e-5)


def test_training_keeps_no_statistics_and_activate_forgets_them() -> None:
    arguments = largest()
    space, x = Family(arguments), torch.randn(4, 3, 24, 24)
    space.elastic.train()(x)
    norm = space.elastic.stem.norm
    assert torch.equal(norm.running_mean, torch.zeros(8))
    keep_statistics(space.elastic, x)
    assert not torch.equal(norm.running_mean, torch.zeros(8))
    space.elastic.activate(space.add(arguments, range(9)))
    assert torch.equal(norm.running_mean, torch.zeros(8))
    assert torch.equal(norm.running_var, torch.ones(8))


def test_gradients_reach_the_slices_alone() -> None:
    every = STAGES * DEPTH
    space = Family(largest())
    space.elastic.activate(space.add(*family([4, 6, 8], [2] * every, [3] * every, [1, 1, 1], stem=4)))
    space.elastic.train()(torch.randn(4, 3, 24, 24)).square().sum().backward()
    first = space.elastic.blocks[0].depthwise.conv.weight.grad
    used = torch.zeros(first.shape, dtype=torch.bool)
    used[:8, :, 2:5, 2:5] = True
    assert (first[~used] == 0).all()
    assert (first[used] != 0).any()
    assert space.elastic.blocks[1].depthwise.conv.weight.grad is None  # a dropped block


def test_extract_copies_and_draws_no_random_number() -> None:
    arguments = largest()
    space = Family(arguments)
    state = torch.get_rng_state()
    plain = space.elastic.extract(space.add(arguments, range(9)))
    assert torch.equal(state, torch.get_rng_state())
    with torch.no_grad():
        plain.stem.conv.weight.zero_()
    assert space.elastic.stem.conv.weight.abs().sum() > 0


def test_what_does_not_fit_is_refused() -> None:
    every = STAGES * DEPTH
    space = Family(largest())
    small, positions = family([4, 6, 8], [2] * every, [3] * every, [1, 1, 1])
    with pytest.raises(WrongUse, match="as many positions"):
        space.elastic.activate(space.add(small, positions[:-1]))
    with pytest.raises(WrongUse, match="as many positions"):
        space.elastic.activate(space.add(small, [0, 3, 9]))
    with pytest.raises(WrongUse, match="mix"):
        space.elastic.activate(space.add({**small, "mix": 8}, positions))
    with pytest.raises(WrongUse, match="cannot be cut"):
        space.elastic.extract(space.add(*family([9, 6, 8], [2] * every, [3] * every, [1, 1, 1])))


def test_a_missing_layer_is_refused() -> None:
    every = STAGES * DEPTH
    fused = Family(family([8, 8, 8], [0] * every, [1] * every, [DEPTH] * STAGES)[0])
    member = family([8, 8, 8], [2] * every, [1] * every, [DEPTH] * STAGES)
    with pytest.raises(WrongUse, match="no expand convolution"):
        fused.elastic.activate(fused.add(*member))


def test_squeeze_excite_is_refused() -> None:
    arguments = largest()
    arguments["blocks"][1]["squeeze"] = 4
    with pytest.raises(WrongUse, match="squeeze-excite"):
        Family(arguments)
