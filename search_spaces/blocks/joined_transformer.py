"""Several sub-networks of one vision transformer in one pass, each on its own part of the batch.

Source: multi-architectural sampling of ViT-ResNAS (arXiv 2109.00642). The tokenizer and the linear layers, which do
most of the work, run once on the tokens of the whole batch: where a part has fewer channels than the widest, zeros
stand for them, and what comes out beyond its own channels is cut off. Layer norms, reductions and the products of
attention, over the channels, tokens and heads that a part has, run part by part; layers that it lacks pass it by.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from search_spaces.blocks.elastic_transformer import (
    QUERY_KEY_VALUE,
    ElasticTransformer,
    Locate,
    leading,
    leading_heads,
    leading_norm,
)
from search_spaces.blocks.transformer import LayerSpec
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse

Parts = list[Tensor]
Places = Sequence[Tensor | None]  # of the relative positions of each part
# What this file knows to do part by part; a network with more to it is refused.
_KNOWN = {"input_size", "tokenizer", "layers", "classes", "position", "pool", "reach", "epsilon", "reductions"}
_KNOWN_OF_LAYER = {"heads", "head_dim", "mlp", "qkv_bias"}


class JoinedTransformer(ElasticTransformer):
    """An elastic network that also runs several sub-networks at once; see `SplittingSupernet`."""

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        super().__init__(largest, locate)
        self._members: list[Mapping[str, Any]] = []

    def activate(self, architecture: Architecture) -> None:
        """As before, for the whole batch."""
        super().activate(architecture)
        self._members = []

    def activate_many(self, architectures: Sequence[Architecture]) -> None:
        """From now on `forward` runs all of these, as `SplittingSupernet` says.

        What does not fit into the largest is refused by `forward`; `WrongUse` here for layers that cannot be joined.
        """
        members = [self._locate(architecture) for architecture in architectures]
        for own in members:
            more = own.keys() - _KNOWN | {key for spec in own["layers"] for key in spec.keys() - _KNOWN_OF_LAYER}
            if more:
                raise WrongUse(f"sub-networks with {', '.join(sorted(more))} cannot be joined in one pass")
        self._members = members

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes); after `activate_many` each part its own member's."""
        if not self._members:
            return super().forward(x)
        dims = [own["tokenizer"][0]["out"] for own in self._members]
        whole = self._tokens(x, max(dims)).tensor_split(len(dims))
        parts = [part[..., :dim] for part, dim in zip(whole, dims, strict=True)]
        stages = [0] * len(parts)  # reductions behind each part
        for index, layer in enumerate(self.layers):
            there = [number for number, own in enumerate(self._members) if index < len(own["layers"])]
            if not there:
                break
            specs = [self._members[number]["layers"][index] for number in there]
            places = [self.places(stages[number], x.device) for number in there]
            made = self._layer_parts(layer, specs, [parts[number] for number in there], places)
            for number, part in zip(there, made, strict=True):
                parts[number], stages[number] = self._reduced_behind(index + 1, number, part, stages[number])
        pooled = [self._pooled(leading_norm(self.norm, part)) for part in parts]
        return torch.cat(_linear_parts(self.classifier, pooled, [self.classifier.out_features] * len(parts)))

    def _reduced_behind(self, layers: int, number: int, part: Tensor, stage: int) -> tuple[Tensor, int]:
        """A member's part and the reductions behind it, after so many layers."""
        reductions = self._members[number].get("reductions", ())
        if stage < len(reductions) and reductions[stage]["after"] == layers:
            return self._reduced(stage, part, reductions[stage]["out"]), stage + 1
        return part, stage

    def _layer_parts(self, layer: Any, specs: Sequence[LayerSpec], parts: Parts, places: Places) -> Parts:
        dims = [part.shape[-1] for part in parts]
        mixed = self._attention_parts(
            layer.attention, specs, [leading_norm(layer.norm1, part) for part in parts], places
        )
        added = _linear_parts(layer.attention.project, mixed, dims)
        parts = [x + y for x, y in zip(parts, added, strict=True)]
        hidden = _linear_parts(
            layer.expand, [leading_norm(layer.norm2, x) for x in parts], [spec["mlp"] for spec in specs]
        )
        added = _linear_parts(layer.contract, [layer.activation(y) for y in hidden], dims)
        return [x + y for x, y in zip(parts, added, strict=True)]

    @staticmethod
    def _attention_parts(attention: Any, specs: Sequence[LayerSpec], parts: Parts, places: Places) -> Parts:
        """Query, key and value of all parts at once; the products by the heads that each part has."""
        widths = [spec["heads"] * spec["head_dim"] for spec in specs]
        x, joined = _joined(parts), QUERY_KEY_VALUE * max(widths)
        bias = attention.qkv.bias
        bias = None if bias is None else leading_heads(bias, (joined,))
        qkv = functional.linear(x, leading_heads(attention.qkv.weight, (joined, x.shape[-1])), bias)
        each = [one.reshape(*one.shape[:-1], QUERY_KEY_VALUE, -1) for one in _apart(qkv, parts)]
        own = [one[..., :width].flatten(-2) for one, width in zip(each, widths, strict=True)]
        return [attention.mix(one, spec["heads"], at) for one, spec, at in zip(own, specs, places, strict=True)]


def _joined(parts: Parts) -> Tensor:
    """The rows of all parts (..., channels) as one matrix; zeros stand for the channels that one lacks."""
    widest = max(part.shape[-1] for part in parts)
    rows = [functional.pad(part.flatten(0, -2), (0, widest - part.shape[-1])) for part in parts]
    return torch.cat(rows)


def _linear_parts(layer: Any, parts: Parts, outputs: Sequence[int]) -> Parts:
    """One product for all parts (..., channels), each cut to so many outputs of its own."""
    x, widest = _joined(parts), max(outputs)
    y = functional.linear(x, leading(layer.weight, (widest, x.shape[-1])), leading(layer.bias, (widest,)))
    return [one[..., :own] for one, own in zip(_apart(y, parts), outputs, strict=True)]


def _apart(rows: Tensor, parts: Parts) -> Parts:
    """The rows of each of `parts`, in its shape but for the channels."""
    each = torch.split(rows, [part.shape[:-1].numel() for part in parts])
    return [one.reshape(*part.shape[:-1], rows.shape[-1]) for one, part in zip(each, parts, strict=True)]
