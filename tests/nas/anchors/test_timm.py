"""timm's plain vision transformers and Swins as ours: the same logits, or a refusal."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nas import torchvision_door
from nas.anchors.timm import is_timm, timm_source
from search_spaces.core.errors import WrongUse

timm: Any = torchvision_door.import_behind("timm")


def saved(name: str, folder: Path, **changes: torch.Tensor) -> tuple[Any, Path]:
    """A network of timm with random weights, scales of layers and class token included, and its file."""
    torch.manual_seed(0)
    network = timm.create_model(name).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    path = folder / "weights.safetensors"
    save_file({**network.state_dict(), **changes}, path)
    return network, path


# with a class token and its position; with scales of layers and no such position; pooled, with no class token; in
# windows that tile the maps; in windows that do not
@pytest.mark.parametrize(
    "name",
    [
        "deit_tiny_patch16_224",
        "deit3_small_patch16_224",
        "vit_tiny_patch16_224",
        "swin_tiny_patch4_window7_224",
        "swin_s3_tiny_224",
    ],
)
@torch.no_grad()
def test_equal_logits(name: str, tmp_path: Path) -> None:
    theirs, path = saved(name, tmp_path)
    anchor, read = timm_source(f"{name}@{path}")
    ours: Any = anchor.family.build(**anchor.network).eval()
    ours.load_state_dict(read())
    pictures = torch.randn(2, 3, 224, 224)
    assert torch.allclose(ours(pictures), theirs(pictures), rtol=1e-3, atol=1e-3)
    assert anchor.name == name
    assert len(anchor.weights) == 64


def test_names() -> None:
    assert is_timm("deit_tiny_patch16_224")
    assert is_timm("deit_tiny_patch16_224@file.safetensors")
    assert not is_timm("dim64")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("swinv2_tiny_window8_256", "SwinTransformerV2"),
        ("swinv2_cr_tiny_224", "SwinTransformerV2Cr"),
        ("deit_tiny_distilled_patch16_224", "VisionTransformerDistilled"),
        ("resnet18", "ResNet"),
    ],
)
def test_what_is_built_otherwise_is_refused(name: str, kind: str) -> None:
    with pytest.raises(WrongUse, match=f"is a {kind} that is neither a plain vision transformer nor a Swin"):
        timm_source(name)


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    _, path = saved("deit_tiny_patch16_224", tmp_path)
    _, read = timm_source(f"deit_small_patch16_224@{path}")
    with pytest.raises(WrongUse, match="is of another network"):
        read()
    _, read = timm_source(f"swin_tiny_patch4_window7_224@{path}")
    with pytest.raises(WrongUse, match="is of another network"):
        read()
