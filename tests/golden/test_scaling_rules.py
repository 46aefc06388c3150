"""Published networks of the scaling-rule spaces and of `resnet`: parameters and MACs to the unit, and timm's functions.

Parameters and MACs were counted on the public definitions (timm 1.0.31 with fvcore, SHI-Labs/Compact-Transformers
@cd11f09); MACs are those of convolutions, linear layers and matrix products.
"""

from typing import Any

import numpy as np
import pytest
import torch

from nas import torchvision_door
from nas.assembly import published_members
from predictors.hardware.price import price_table
from search_spaces.core.errors import WrongUse
from search_spaces.core.registry import space_class
from search_spaces.tinynet.rule import tiny

COUNTED = {
    "tinynet_a": (6_187_972, 336_867_712),
    "tinynet_c": (2_457_234, 99_536_432),
    "tinynet_e": (2_042_972, 24_356_848),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "mobilenetv2_100": (3_504_872, 300_774_272),
    "mnasnet_100": (4_383_312, 314_415_872),
    "mobilenetv3_large_100": (5_483_032, 216_589_760),
    "mobilenetv3_small_100": (2_542_856, 56_510_400),
    "ghostnet_100": (5_182_508, 141_150_512),
    "deit_tiny": (5_717_416, 1_253_683_200),
    "deit_small": (22_050_664, 4_598_882_304),
    "deit_base": (86_567_656, 17_563_828_224),
    "tiny_vit_5m": (5_392_764, 1_255_174_720),
    "tiny_vit_21m": (21_198_568, 4_250_329_536),
    "tiny_vit_21m_384": (21_230_488, 13_697_865_216),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet50d": (25_576_264, 4_328_824_832),
    "ofa_resnet50": (25_576_264, 4_328_824_832),  # a residual more than resnet50d, which counts nothing
    "cct_2_3x1_32": (236_299, 87_491_840),
    "cct_2_3x2_32": (283_723, 35_341_568),
    "cct_4_3x1_32": (434_699, 171_377_920),
    "cct_4_3x2_32": (482_123, 50_021_632),
    "cct_6_3x2_32": (3_326_923, 253_463_040),
    "cct_7_3x1_32": (3_760_139, 1_181_616_640),
    "cct_7_3x2_32": (3_853_259, 289_114_624),
    "cct_7_3x3_32": (3_877_835, 80_292_352),
    "cct_7_7x1_32": (3_741_707, 259_230_208),
    "cct_7_7x2_224": (4_573_735, 1_604_554_240),  # 102 classes
    "cct_14_7x2_224": (22_367_273, 5_521_901_568),
}
# MACs of the same networks by the two other conventions: convolutions and linear layers alone, fvcore's total
OTHER_CONVENTIONS = {
    "tinynet_a": (336_867_712, 347_712_640),
    "tinynet_e": (24_356_848, 25_750_752),
    "mobilenetv3_large_100": (216_589_760, 225_436_416),
    "deit_tiny": (1_074_851_328, 1_258_411_200),
    "tiny_vit_5m": (1_158_673_728, 1_270_432_960),
    "cct_7_3x1_32": (946_670_080, None),
    "cct_2_3x2_32": (33_236_224, None),
}
# Parameters alone: TinyViT 21M at 512 pixels (26.88 G MACs published); CCT 6/3x1 with a real sine embedding (3.168 M).
PARAMETERS = {"tiny_vit_21m_512": 21_268_120, "cct_6_3x1_32_sine": 3_168_267}
OF_TIMM = {
    "tinynet_a": "tinynet_a",
    "tinynet_b": "tinynet_b",
    "tinynet_c": "tinynet_c",
    "tinynet_d": "tinynet_d",
    "tinynet_e": "tinynet_e",
    "mobilenetv3_small_100": "mobilenetv3_small_100",
    "mobilenetv3_large_100": "mobilenetv3_large_100",
    "mnasnet_100": "mnasnet_100",
    "ghostnet_100": "ghostnet_100",
    "deit_tiny": "deit_tiny_patch16_224",
    "tiny_vit_5m": "tiny_vit_5m_224",
    "resnet50": "resnet50",
    "resnet50d": "resnet50d",
}
# (repeats, channels) of each stage, from timm's definitions
TINYNETS = {
    "tinynet_a": ((1, 2, 2, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320), 192),
    "tinynet_c": ((1, 2, 2, 3, 3, 3, 1), (8, 16, 24, 40, 64, 104, 176), 184),
    "tinynet_e": ((1, 1, 1, 2, 2, 2, 1), (8, 16, 24, 40, 56, 96, 160), 106),
}


@pytest.mark.parametrize("name", COUNTED)
def test_parameters_and_macs_to_the_unit(name: str) -> None:
    _, member = published_members()[name]
    priced = price_table(member.table(), "analytic", schedule="none")
    assert (int(priced["params"][0]), int(priced["macs"][0])) == COUNTED[name]


@pytest.mark.parametrize("name", OTHER_CONVENTIONS)
def test_other_conventions_of_macs(name: str) -> None:
    table = published_members()[name][1].table()
    for convention, expected in zip(("conv-linear", "fvcore"), OTHER_CONVENTIONS[name], strict=True):
        macs = price_table(table, "analytic", schedule="none", mac_convention=convention)["macs"][0]
        assert expected is None or int(macs) == expected, convention


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    _, member = published_members()[name]
    assert int(price_table(member.table(), "analytic", schedule="none")["params"][0]) == PARAMETERS[name]


@pytest.mark.parametrize("name", OF_TIMM)
def test_it_is_the_same_function_as_timms(name: str) -> None:
    """With timm's weights, tensor by tensor in the order of both, our network gives timm's logits."""
    timm = torchvision_door.import_behind("timm")
    _, member = published_members()[name]
    network = member.blueprint().build().eval()
    torch.manual_seed(0)
    theirs = timm.create_model(OF_TIMM[name], num_classes=1000).eval()
    state = theirs.state_dict()
    own = network.state_dict()
    # a 1x1 convolution behind the last pooling is a linear layer of ours
    assert [v.squeeze().shape for v in own.values()] == [v.squeeze().shape for v in state.values()]
    drawn = {
        key: torch.rand_like(value) + 0.5 if value.is_floating_point() and value.ndim == 1 else value
        for key, value in zip(own, state.values(), strict=True)
    }
    network.load_state_dict({key: value.reshape(own[key].shape) for key, value in drawn.items()})
    theirs.load_state_dict(dict(zip(state, drawn.values(), strict=True)))
    side = member.table().in_height[0, 0]
    picture = torch.rand(1, 3, side, side)
    with torch.no_grad():
        ours, expected = network(picture), theirs(picture)
    assert torch.allclose(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", TINYNETS)
def test_repeats_channels_and_resolution_of_tinynets(name: str) -> None:
    repeats, channels, pixels = TINYNETS[name]
    _, member = published_members()[name]
    arguments: dict[str, Any] = member.blueprint().arguments
    runs = [block["out"] for block in arguments["blocks"]]
    assert tuple(runs.count(width) for width in channels) == repeats
    assert tuple(dict.fromkeys(runs)) == channels
    assert arguments["input_size"] == [3, pixels, pixels]


def test_the_rule_goes_through_the_published_networks() -> None:
    macs = np.array([24_356_848, 51_580_656, 99_536_432, 200_709_360, 336_867_712])
    r, d = tiny(macs / 385_814_752)
    assert np.allclose(r, [0.475, 0.68, 0.825, 0.84, 0.86])
    assert np.allclose(d, [0.60, 0.695, 0.85, 1.1, 1.2])


def test_sizes_of_autoformers_spaces() -> None:
    """3 widths x the sum over depths of (heads x ratios)^depth: 1.06e9, 7.7e13 and 1.0e13 in the published yaml."""
    sizes = {preset: space_class("vit").configured({"preset": preset}, None).size for preset in "TSB"}
    assert sizes == {"T": 1_056_964_608, "S": 77_103_263_459_313, "B": 10_108_977_168_384}


def test_autoformer_tinys_released_network_is_outside_its_own_space() -> None:
    """microsoft/Cream's released sub-network has an MLP ratio of 3.0 in three layers; its space knows 3.5 and 4."""
    space = space_class("vit").configured({"preset": "T"}, None)
    member = space.extremes()[0]
    options = {**member.options, "depth": 13, "layer2.mlp_ratio": 3.0}
    said = r"'3.0' is not an option of 'layer2.mlp_ratio': it knows 3.5, 4.0; nearest: 3.5"
    with pytest.raises(WrongUse, match=said):
        space.population([type(member)(member.space, member.settings, options)])


def test_members_outside_their_own_published_space() -> None:
    """Of all members only that one; S and B keep to their spaces, whose widest heads are 10 of 64 channels."""
    outside = {name: member.outside() for name, (_, member) in published_members().items() if member.outside()}
    assert list(outside) == ["autoformer_tiny"]
    said = "preset T: '3.0' is not an option of 'layer{}.mlp_ratio': it knows 3.5, 4.0; nearest: 3.5"
    assert outside["autoformer_tiny"] == [said.format(layer) for layer in (2, 4, 5)]
