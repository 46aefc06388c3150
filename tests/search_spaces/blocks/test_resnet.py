"""Residual networks: elastic and joined ones against the plain network of each sub-network, what cannot be."""

from typing import Any

import pytest
import torch

from search_spaces.blocks.joined_resnet import JoinedResnet
from search_spaces.blocks.resnet import Bottleneck, ResnetNetwork, Shortcut, StemConvs
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse
from tests.search_spaces.blocks.test_elastic_mbconv import keep_statistics

LARGEST = ((16, 8, 24), (True, 3, 3))
Member = tuple[dict[str, Any], list[int]]


def member(widths: tuple[int, int, int], shape: tuple[bool, int, int], mid: int = 8, shortcut: str = "conv") -> Member:
    """Widths of the stem and of two stages, whether the stem has its middle convolution, blocks of the stages."""
    stem, *stages = widths
    middle, *depths = shape
    blocks, positions, inside = [], [], stem
    for stage, (out, depth) in enumerate(zip(stages, depths, strict=True)):
        for index in range(depth):
            kind = "identity" if index else shortcut
            spec = {"in": inside, "mid": mid + index, "out": out, "stride": 1 if index else 2, "shortcut": kind}
            blocks.append(spec)
            positions.append(3 * stage + index)
            inside = out
    convs = {"mid": stem // 2, "out": stem, "kernel": 3, "stride": 1, "middle": "residual" if middle else "none"}
    return {"input_size": [3, 13, 11], "stem": convs, "pool": True, "blocks": blocks, "classes": 5}, positions


class Family:
    """Numbers its members, so that an architecture can name one."""

    def __init__(self, largest: Member) -> None:
        self.members: list[Member] = []
        self.elastic = JoinedResnet(largest[0], self.locate)
        for norm in (module for module in self.elastic.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            torch.nn.init.normal_(norm.bias)
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)

    def add(self, added: Member) -> Architecture:
        self.members.append(added)
        return Architecture("test", {}, {"member": len(self.members) - 1})

    def locate(self, architecture: Architecture) -> Member:
        return self.members[int(architecture.options["member"])]


def pictures(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, 13, 11, generator=torch.Generator().manual_seed(count))


SMALLER = [
    ((16, 8, 24), (True, 3, 3), 8),
    ((16, 8, 24), (False, 1, 2), 8),
    ((8, 6, 12), (True, 2, 1), 5),
    ((12, 8, 16), (False, 3, 1), 3),
]


@pytest.mark.parametrize("shortcut", ["conv", "pool_conv"])
def test_sub_networks_agree_with_their_plain_networks(shortcut: str) -> None:
    torch.manual_seed(1)
    family = Family(member(*LARGEST, shortcut=shortcut))
    elastic = family.elastic
    for widths, shape, mid in SMALLER:
        architecture = family.add(member(widths, shape, mid, shortcut))
        elastic.activate(architecture)
        plain = elastic.extract(architecture)
        with torch.no_grad():
            assert torch.allclose(elastic.train()(pictures()), plain.train()(pictures()), atol=1e-5)
            keep_statistics(elastic, pictures(16))
            keep_statistics(plain, pictures(16))
            assert torch.allclose(elastic(pictures()), plain(pictures()), atol=1e-5)
            assert plain(pictures()).std() > 1e-3


@pytest.mark.parametrize("shortcut", ["conv", "pool_conv"])
def test_joined_members_agree_with_each_alone(shortcut: str) -> None:
    torch.manual_seed(1)
    family = Family(member(*LARGEST, shortcut=shortcut))
    elastic, x = family.elastic.double().train(), pictures(11).double()
    members = [family.add(member(widths, shape, mid, shortcut)) for widths, shape, mid in SMALLER]
    alone = []
    for each, part in zip(members, x.tensor_split(len(members)), strict=True):
        elastic.activate(each)
        alone.append(elastic(part))
    torch.cat(alone).square().sum().backward()
    wanted = gradients(elastic)
    elastic.activate_many(members)
    logits = elastic(x)
    assert torch.allclose(logits, torch.cat(alone), atol=1e-9)
    logits.square().sum().backward()
    for found, expected in zip(gradients(elastic), wanted, strict=True):
        assert torch.allclose(found, expected, rtol=1e-7, atol=1e-9 * (1 + float(expected.abs().max())))


def gradients(network: torch.nn.Module) -> list[torch.Tensor]:
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    return found


def test_names_are_those_of_the_plain_network_and_no_statistics_are_saved() -> None:
    arguments, positions = member(*LARGEST)
    names = {name: value.shape for name, value in ResnetNetwork(**arguments).named_parameters()}
    assert {name: value.shape for name, value in Family((arguments, positions)).elastic.state_dict().items()} == names


def test_a_stem_without_its_middle_takes_the_same_last_convolution() -> None:
    family = Family(member(*LARGEST))
    plain = family.elastic.extract(family.add(member((16, 8, 24), (False, 3, 3))))
    assert torch.equal(plain.stem.last.conv.weight, family.elastic.stem.last.conv.weight)
    assert isinstance(plain.stem.middle, torch.nn.Identity)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"blocks": 1}, "as many positions"),
        ({"shortcut": "identity"}, "another kind of shortcut"),
        ({"mid": 0}, "has not the convolutions"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    family = Family(member(*LARGEST))
    arguments, positions = member((8, 8, 8), (False, 1, 1))
    if "blocks" in change:
        positions = positions[:1]
    elif "shortcut" in change:
        arguments["blocks"][1] |= {"stride": 1, **change}
    else:
        arguments["stem"] |= change
    with pytest.raises(WrongUse, match=said):
        family.elastic.activate(family.add((arguments, positions)))


def test_more_channels_than_the_largest_are_refused() -> None:
    family = Family(member(*LARGEST))
    with pytest.raises(WrongUse, match="cannot be cut"):
        family.elastic.extract(family.add(member((16, 8, 32), (True, 1, 1))))


def test_members_of_other_pictures_do_not_share_a_pass() -> None:
    family = Family(member(*LARGEST))
    arguments, positions = member(*LARGEST)
    members = [family.add(member(*LARGEST)), family.add(({**arguments, "input_size": [3, 9, 9]}, positions))]
    with pytest.raises(WrongUse, match="share picture size"):
        family.elastic.activate_many(members)


# the plain parts


def test_a_pooled_shortcut_is_the_mean_of_what_is_there() -> None:
    shortcut = Shortcut({"in": 1, "mid": 1, "out": 1, "stride": 2, "shortcut": "pool_conv"}).eval()
    torch.nn.init.ones_(shortcut.project.conv.weight)
    map_of_3x3 = torch.arange(9.0).reshape(1, 1, 3, 3)
    made = shortcut(map_of_3x3) * (1 + 1e-5) ** 0.5  # the norm's epsilon
    assert torch.allclose(made, torch.tensor([[[[2.0, 3.5], [6.5, 8.0]]]]))


def test_the_stem_adds_what_goes_into_its_middle_behind_the_activation() -> None:
    stem = StemConvs(3, {"mid": 4, "out": 8, "kernel": 3, "stride": 2, "middle": "residual"}).eval()
    x = torch.randn(2, 3, 8, 8)
    first = stem.first(x)
    middle = torch.relu(stem.middle.norm(stem.middle.conv(first)))
    assert torch.allclose(stem(x), stem.last(first + middle))
    assert stem(x).shape == (2, 8, 4, 4)


@pytest.mark.parametrize(
    "spec",
    [
        {"in": 8, "mid": 4, "out": 8, "stride": 2, "shortcut": "identity"},
        {"in": 8, "mid": 4, "out": 16, "stride": 1, "shortcut": "identity"},
        {"in": 8, "mid": 4, "out": 8, "stride": 1, "shortcut": "none"},
    ],
)
def test_impossible_blocks_are_refused(spec: Any) -> None:
    with pytest.raises(ValueError, match="shortcut is identity, conv, pool_conv"):
        Bottleneck(spec)


@pytest.mark.parametrize("change", [{"middle": "twice"}, {"mid": 0}])
def test_impossible_stems_are_refused(change: dict[str, Any]) -> None:
    spec: Any = {"mid": 4, "out": 8, "kernel": 3, "stride": 2, "middle": "plain"}
    with pytest.raises(ValueError, match="middle is none, plain, residual"):
        StemConvs(3, spec | change)
