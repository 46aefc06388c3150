"""What a smaller network takes from a larger one, by known answers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nas import torchvision_door
from nas.inheriting import weights_to_inherit
from nas.training.inheritance import inherit
from search_spaces.blocks.transformer import TransformerNetwork
from search_spaces.core.errors import NotFound, WrongUse
from search_spaces.core.registry import space_class


def transformer(
    dim: int, layers: int, heads: int, classes: int = 5, reach: int = 0, after: tuple[int, ...] = ()
) -> TransformerNetwork:
    layer: Any = {"heads": heads, "head_dim": 4, "mlp": 2 * dim}
    conv: Any = {"out": dim, "kernel": 4, "stride": 4, "padding": 0, "bias": True, "pool": False}
    reductions: Any = [{"after": number, "out": dim} for number in after]
    return TransformerNetwork([3, 8, 8], [conv], [layer] * layers, classes, reach=reach, reductions=reductions)


def test_leading_channels_and_heads_of_evenly_spaced_layers() -> None:
    """Of 6 layers a network of 3 takes 0, 2 and 4."""
    small, large = transformer(8, 3, 2), transformer(12, 6, 3)
    assert inherit(small, large.state_dict()) == []
    for ours, theirs in ((0, 0), (1, 2), (2, 4)):
        own, source = small.layers[ours], large.layers[theirs]
        assert torch.equal(own.expand.weight, source.expand.weight[:16, :8])
        heads = source.attention.qkv.weight.reshape(3, 3, 4, 12)[:, :2, :, :8].reshape(24, 8)
        assert torch.equal(own.attention.qkv.weight, heads)
        assert torch.equal(own.norm1.weight, source.norm1.weight[:8])
    assert torch.equal(small.position, large.position[..., :8])
    assert torch.equal(small.classifier.weight, large.classifier.weight[:, :8])


def test_a_classifier_of_other_classes_stays_its_own() -> None:
    small, large = transformer(8, 2, 2, classes=7), transformer(8, 2, 2, classes=5)
    before = small.classifier.weight.clone()
    assert inherit(small, large.state_dict()) == ["classifier.weight", "classifier.bias"]
    assert torch.equal(small.classifier.weight, before)


def test_tables_of_relative_positions_are_inherited_whole() -> None:
    small, large = transformer(8, 2, 2, reach=3), transformer(12, 4, 3, reach=3)
    assert inherit(small, large.state_dict()) == []
    for ours, theirs in ((0, 0), (1, 2)):
        tables = [network.layers[at].attention.relative_keys.tables for network, at in ((small, ours), (large, theirs))]
        assert torch.equal(*tables)
    with pytest.raises(WrongUse, match="relative_keys"):
        inherit(small, transformer(12, 4, 3).state_dict())


def test_a_reduction_is_inherited_or_its_own() -> None:
    """From a larger one by order, whatever layer it stands behind; from a network without, everything else."""
    small, large = transformer(8, 3, 2, after=(1,)), transformer(12, 6, 3, after=(4,))
    assert inherit(small, large.state_dict()) == []
    assert torch.equal(small.reductions[0].conv.weight, large.reductions[0].conv.weight[:8, :8])
    assert torch.equal(small.reductions[0].position, large.reductions[0].position[..., :8])
    before, plain = small.reductions[0].conv.weight.clone(), transformer(12, 6, 3)
    kept = inherit(small, plain.state_dict())
    assert set(kept) == {name for name in small.state_dict() if name.startswith("reductions.0.")}
    assert torch.equal(small.reductions[0].conv.weight, before)
    assert torch.equal(small.classifier.weight, plain.classifier.weight[:, :8])


def test_a_copy_of_itself_is_the_same_network() -> None:
    small, twin = transformer(8, 2, 2).eval(), transformer(8, 2, 2).eval()
    inherit(small, twin.state_dict())
    picture = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(small(picture), twin(picture))


@pytest.mark.parametrize(
    ("dim", "layers", "said"), [(6, 6, "cannot be cut out of"), (12, 2, "has 2 layers, this one 3")]
)
def test_what_is_smaller_gives_nothing(dim: int, layers: int, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        inherit(transformer(8, 3, 2), transformer(dim, layers, 1).state_dict())


def test_another_kind_of_network_gives_nothing() -> None:
    space = space_class("tinynet").configured({}, None)
    with pytest.raises(WrongUse, match="another kind"):
        inherit(transformer(8, 3, 2), space.build(space.extremes()[0]).state_dict())


def test_a_sub_network_of_deit_tiny_takes_timms_checkpoint(tmp_path: Path) -> None:
    """The largest network of the preset has all of it: timm's logits."""
    timm = torchvision_door.import_behind("timm")
    torch.manual_seed(0)
    theirs = timm.create_model("deit_tiny_patch16_224", num_classes=10).eval()
    save_file(theirs.state_dict(), tmp_path / "deit.safetensors")
    weights = weights_to_inherit(str(tmp_path / "deit.safetensors"), tmp_path)
    space = space_class("vit").configured({"preset": "deit_tiny"}, None)
    largest = space.restored({**space.settings.model_dump(mode="json"), "classes": 10})
    smallest, whole = (largest.build(architecture).eval() for architecture in largest.extremes())
    assert inherit(whole, weights) == []
    assert inherit(smallest, weights) == []
    picture = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(whole(picture), theirs(picture), atol=1e-4)


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WrongUse, match="its 1 tensors are those of no published network"):
        weights_to_inherit(str(tmp_path / "other.safetensors"), tmp_path)
    for missing in ("nowhere.safetensors", "run:best", "something"):
        with pytest.raises(NotFound):
            weights_to_inherit(missing, tmp_path)
