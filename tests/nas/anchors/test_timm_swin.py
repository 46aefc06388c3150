"""timm's Swin transformers as ours: pictures and windows of all sizes, weights there and back."""

from typing import Any

import pytest
import torch
from torch import nn

from nas import torchvision_door
from nas.anchors.timm import described
from nas.anchors.timm_swin import renamed
from search_spaces.blocks.swin import SwinNetwork
from search_spaces.stitching.anchors import published_anchor
from search_spaces.stitching.families.swin import FAMILY

timm: Any = torchvision_door.import_behind("timm")
DEPTHS = (2, 2, 3, 2)


def random_swin(**options: Any) -> Any:
    """A narrow one of timm's, all of whose weights are random."""
    torch.manual_seed(0)
    shape = {"embed_dim": 16, "depths": DEPTHS, "num_heads": (1, 2, 4, 8), "num_classes": 7}
    network = timm.create_model("swin_tiny_patch4_window7_224", **{**shape, **options}).eval()
    perturb(network)
    return network


@torch.no_grad()
def perturb(network: nn.Module) -> None:
    for parameter in network.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"img_size": 192},  # windows that reach beyond the map, and one larger than it
        {"img_size": (72, 100)},  # maps of odd sides
        {"img_size": (64, 40), "window_size": (3, 4)},  # shifted along one side only
        {"img_size": 50, "window_size": 5},  # pixels that fill no patch
        {"img_size": 28},  # a last map of one token
        {"img_size": 36, "always_partition": True},  # windows larger than their map, and shifted
        {"img_size": 64, "window_size": (7, 7, 2, 2), "head_dim": 8, "mlp_ratio": 2.5, "in_chans": 1},
    ],
)
@torch.no_grad()
def test_equal_logits(options: dict[str, Any]) -> None:
    theirs = random_swin(**options)
    factory, arguments = described(theirs, "swin")
    assert factory == "SwinNetwork"
    ours = SwinNetwork(**arguments).eval()
    ours.load_state_dict(renamed(theirs.state_dict(), DEPTHS))
    pictures = torch.randn(2, *ours.input_size)
    assert torch.allclose(ours(pictures), theirs(pictures), atol=1e-5)
    assert FAMILY.stages(arguments) == DEPTHS


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_published_ones_are_timms(size: str) -> None:
    with torch.device("meta"):
        factory, network = described(timm.create_model(f"swin_{size}_patch4_window7_224"), size)
    anchor = published_anchor(f"swin_{size}")
    assert (anchor.factory, anchor.network) == (factory, network)


@torch.no_grad()
def test_our_weights_in_timms_network() -> None:
    theirs = random_swin(img_size=56)
    ours = SwinNetwork(**described(theirs, "swin")[1]).eval()
    perturb(ours)
    here = renamed({name: name for name in theirs.state_dict()}, DEPTHS)
    state = ours.state_dict()
    assert here.keys() == state.keys()
    theirs.load_state_dict({there: state[name] for name, there in here.items()})
    pictures = torch.randn(2, 3, 56, 56)
    assert torch.allclose(ours(pictures), theirs(pictures), atol=1e-5)


def test_unknown_tensors_keep_their_names() -> None:
    state = {"absolute_pos_embed": 0, "layers.1.blocks.0.norm3.weight": 1, "head.norm.bias": 2}
    assert list(renamed(state, DEPTHS)) == ["absolute_pos_embed", "blocks.2.norm3.weight", "head.norm.bias"]
