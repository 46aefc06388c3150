"""Weights of a larger network for a smaller one: blocks evenly spaced, of each the first heads and channels.

Source: TinyCLIP's manual inheritance (arXiv 2309.12314): of T blocks a network of S takes every (T / S)-th; a matrix
gives its leading rows and columns, an attention layer its leading heads, a kernel its centre.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from search_spaces.blocks.elastic_convolutions import crop
from search_spaces.blocks.elastic_transformer import leading, leading_heads
from search_spaces.core.errors import WrongUse

_NUMBERED = re.compile(r"^(layers|blocks)\.(\d+)\.(.*)$")
_CLASSIFIER, _LAYERS, _REDUCTIONS = "classifier.", "layers", "reductions."
_KERNEL_DIMENSIONS = 4


def inherit(network: nn.Module, larger: Mapping[str, Tensor]) -> list[str]:
    """Copies into `network` what `larger` (weights by name, of the same kind of network) has for it; in place.

    Returns the names of what `network` keeps of its own: a classifier of other classes, and reductions of the tokens
    that the other has not. `WrongUse` where another tensor has no counterpart or is larger than it: the other network
    is of another kind, or not the larger one.
    """
    own = network.state_dict()
    sources = _sources(own, larger)
    kept = []
    for name, value in own.items():
        source = larger.get(sources[name])
        if source is None and name.startswith(_REDUCTIONS):
            kept.append(name)
            continue
        if source is None:
            raise WrongUse(f"the network to inherit from has no '{sources[name]}': it is of another kind")
        if name.startswith(_CLASSIFIER) and source.shape[0] != value.shape[0]:
            kept.append(name)
            continue
        value.copy_(_cut(name, source, value.shape))
    network.load_state_dict(own)
    return kept


def _sources(own: Mapping[str, Tensor], larger: Mapping[str, Tensor]) -> dict[str, str]:
    """The name in the larger network of each of ours: block i of S is block floor(i T / S) of T."""
    ours, theirs = _depths(own), _depths(larger)
    result = {}
    for name in own:
        found = _NUMBERED.match(name)
        if found is None:
            result[name] = name
            continue
        kind, number, rest = found.groups()
        here, there = ours[kind], theirs.get(kind, 0)
        if not there:
            raise WrongUse(f"the network to inherit from has no {kind}: it is of another kind")
        if there < here or (there > here and kind != _LAYERS):
            raise WrongUse(
                f"the network to inherit from has {there} {kind}, this one {here}: layers of transformers may be more, "
                "blocks of stages must be as many"
            )
        result[name] = f"{kind}.{int(number) * there // here}.{rest}"
    return result


def _depths(state: Mapping[str, Tensor]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for name in state:
        found = _NUMBERED.match(name)
        if found is not None:
            depths[found[1]] = max(depths.get(found[1], 0), int(found[2]) + 1)
    return depths


def _cut(name: str, source: Tensor, shape: torch.Size) -> Tensor:
    """The part of `source` that a tensor of `shape` takes."""
    if ".qkv." in name:
        return leading_heads(source, shape)
    return crop(source, shape) if source.ndim == len(shape) == _KERNEL_DIMENSIONS else leading(source, shape)
