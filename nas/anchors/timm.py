"""Networks of timm as ours: plain vision transformers (DeiT, DeiT III, ViT and what is built like them) and Swin."""

import functools
import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas import torchvision_door
from nas.anchors import timm_swin
from nas.timm_hub import name_and_file, pretrained
from search_spaces.blocks.transformer_layers import map_size
from search_spaces.core.errors import FitnasError, WrongUse
from search_spaces.stitching.anchors import Anchor

_TOLERANCE = 1e-3
_PROBES = 2
# of a block there, of a layer here
_LAYER = {
    "norm1": "norm1",
    "attn.qkv": "attention.qkv",
    "attn.proj": "attention.project",
    "norm2": "norm2",
    "mlp.fc1": "expand",
    "mlp.fc2": "contract",
}
_REST = {"patch_embed.proj": "tokenizer.0", "norm": "norm", "head": "classifier"}
# the layer whose output a scale multiplies
_SCALED = {"ls1.gamma": "attention.project", "ls2.gamma": "contract"}


def is_timm(name: str) -> bool:
    """Whether timm knows `NAME`, or the one of `NAME@FILE`."""
    known: bool = torchvision_door.import_behind("timm").is_model(name.partition("@")[0].partition(".")[0])
    return known


def timm_source(name: str) -> tuple[Anchor, Callable[[], Mapping[str, Tensor]]]:
    """The anchor that `NAME` (weights from the hub) or `NAME@FILE.safetensors` means, and how its weights are read.

    `WrongUse` where it is neither a plain vision transformer nor a Swin, or the file can hold code; `NotFound` where it
    is missing.
    """
    network_name, file = name_and_file(name, f"the anchor {name}")
    with torch.device("meta"):
        factory, arguments = described(_create(network_name), network_name)
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    anchor = Anchor(name=network_name, factory=factory, network=arguments, weights=digest)
    return anchor, functools.partial(_weights, anchor, file)


def _create(name: str, **options: Any) -> Any:
    return torchvision_door.import_behind("timm").create_model(name, **options)


def described(network: Any, name: str) -> tuple[str, dict[str, Any]]:
    """The class of ours that computes what a network of timm's does, and its arguments; `WrongUse` where none does."""
    models = torchvision_door.import_behind("timm").models
    if type(network) is models.swin_transformer.SwinTransformer and network.global_pool == "avg":
        return "SwinNetwork", timm_swin.arguments_of(network)
    plain = type(network) is models.vision_transformer.VisionTransformer and network.num_prefix_tokens <= 1
    if plain and network.global_pool in ("token", "avg"):
        return "TransformerNetwork", _of_transformer(network)
    raise WrongUse(
        f"the anchor {name} is a {type(network).__name__} that is neither a plain vision transformer nor a Swin "
        "transformer (of the first version), so that no network here computes what it does; take one such as "
        "deit_tiny_patch16_224, deit3_small_patch16_224, vit_small_patch16_224 or swin_tiny_patch4_window7_224"
    )


def _of_transformer(network: Any) -> dict[str, Any]:
    """Arguments of `TransformerNetwork`."""
    blocks, patch = network.blocks, network.patch_embed
    class_token = network.cls_token is not None
    pool = "class" if network.global_pool == "token" else "patches" if class_token else "mean"
    return {
        "input_size": [patch.proj.in_channels, *patch.img_size],
        "tokenizer": [
            {
                "out": network.embed_dim,
                "kernel": patch.proj.kernel_size[0],
                "stride": patch.proj.stride[0],
                "padding": 0,
                "bias": patch.proj.bias is not None,
                "pool": False,
            }
        ],
        "layers": [
            {
                "heads": block.attn.num_heads,
                "head_dim": block.attn.head_dim,
                "mlp": block.mlp.fc1.out_features,
                "qkv_bias": block.attn.qkv.bias is not None,
            }
            for block in blocks
        ],
        "classes": network.num_classes,
        "pool": pool,
        "epsilon": blocks[0].norm1.eps,
    }


def _weights(anchor: Anchor, file: str | None) -> Mapping[str, Tensor]:
    """The weights by our names. `FitnasError` where the network computes something else with them than timm's."""
    name = anchor.name
    try:
        theirs = _create(name, checkpoint_path=file) if file else pretrained(name)
    except RuntimeError as error:
        raise WrongUse(f"the anchor {name}: {file} is of another network ({str(error).splitlines()[0]})") from None
    found = by_our_names(theirs.state_dict(), anchor)
    ours = anchor.family.build(**anchor.network)
    try:
        ours.load_state_dict(found)
    except RuntimeError as error:
        raise WrongUse(f"the anchor {name} has parts that ours lacks: {str(error).splitlines()[-1].strip()}") from None
    check_equal(theirs, ours, name)
    return found


def by_our_names(state: Mapping[str, Tensor], anchor: Anchor) -> dict[str, Tensor]:
    """Timm's weights by the names of the anchor's network, what is unknown by its own."""
    if anchor.factory == "SwinNetwork":
        return timm_swin.renamed(state, anchor.stages)
    network = anchor.network
    return renamed(state, math.prod(map_size(network["input_size"][1:], network["tokenizer"])))


@torch.no_grad()
def check_equal(theirs: nn.Module, ours: Any, name: str) -> None:
    """`FitnasError` where logits of a few random pictures differ."""
    probe = torch.randn(_PROBES, *ours.input_size, generator=torch.Generator().manual_seed(0))
    expected, got = theirs.eval()(probe), ours.eval()(probe)
    difference = float((got - expected).abs().max() / expected.abs().max().clamp(min=1.0))
    if not difference <= _TOLERANCE:
        raise FitnasError(
            f"the anchor {name} computes something else here than in timm: logits differ by {difference:.2g}"
        )


def renamed(state: Mapping[str, Tensor], tokens: int) -> dict[str, Tensor]:
    """Timm's weights by our names, what is unknown by its own; `tokens` of the map, the class token left out.

    Scales of layers are multiplied into the weights in front of them. A position embedding without the class token's
    gets a zero one.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        module, _, leaf = name.rpartition(".")
        if name == "cls_token":
            found["class_token"] = value
        elif name == "pos_embed":
            found["position"] = value
        elif module in _REST:
            found[f"{_REST[module]}.{leaf}"] = value
        elif name.startswith("blocks."):
            _, number, inside = module.split(".", 2) if module.count(".") > 1 else (*module.split("."), "")
            found[f"layers.{number}.{_LAYER.get(inside, inside)}.{leaf}"] = value
        else:
            found[name] = value
    return _with_position_of_class(_scaled(found), tokens)


def _scaled(found: dict[str, Tensor]) -> dict[str, Tensor]:
    scales = {name: value for name, value in found.items() if name.endswith(tuple(_SCALED))}
    result = {name: value for name, value in found.items() if name not in scales}
    for name, scale in scales.items():
        layer, inside = name.rsplit(".", 2)[0], ".".join(name.rsplit(".", 2)[1:])
        target = f"{layer}.{_SCALED[inside]}"
        result[f"{target}.weight"] = result[f"{target}.weight"] * scale[:, None]
        result[f"{target}.bias"] = result[f"{target}.bias"] * scale
    return result


def _with_position_of_class(found: dict[str, Tensor], tokens: int) -> dict[str, Tensor]:
    position, token = found.get("position"), found.get("class_token")
    if position is not None and token is not None and position.shape[1] == tokens:  # places of the map alone
        found["position"] = torch.cat([torch.zeros_like(token), position], dim=1)
    return found
