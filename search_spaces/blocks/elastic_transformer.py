"""One vision transformer whose smaller networks are slices of its weights.

Source: AutoFormer's weight entanglement (arXiv 2107.00651): a sub-network uses the first channels of its tokens, the
first heads of a layer, the first hidden channels of its MLP, and the first layers. Tables of relative positions are
shared whole: heads are equally wide everywhere. Queries, keys and values take their own first rows and biases; in
microsoft/Cream the biases are the first of the three joined, so that a narrower layer's keys take those of queries.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from search_spaces.blocks.transformer import LayerSpec, TransformerNetwork, as_map, as_tokens, beside_means
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse

Locate = Callable[[Architecture], Mapping[str, Any]]
QUERY_KEY_VALUE = 3


def leading(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """The first entries of `weight` along every axis, as many as `shape` asks for."""
    if tuple(weight.shape) == tuple(shape):
        return weight  # a slice of everything would still cost a copy in the backward pass
    if weight.ndim != len(shape) or any(part > whole for part, whole in zip(shape, weight.shape, strict=True)):
        raise WrongUse(f"weights of shape {tuple(shape)} cannot be cut out of shared ones of {tuple(weight.shape)}")
    return weight[tuple(slice(part) for part in shape)]


def leading_heads(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """The same of joined query, key and value weights: the first rows of each of the three."""
    three = (QUERY_KEY_VALUE, -1, *weight.shape[1:])
    part = (QUERY_KEY_VALUE, shape[0] // QUERY_KEY_VALUE, *shape[1:])
    return leading(weight.reshape(three), part).reshape(tuple(shape))


class ElasticTransformer(TransformerNetwork):
    """The largest network of a space; `activate` makes `forward` run any smaller one on slices of its weights.

    `largest` holds the arguments of `TransformerNetwork`; `locate` gives those of an architecture's plain network, for
    the same picture. Right after construction the largest is active. Parameter names and shapes are those of
    `TransformerNetwork(**largest)`: its first reduction serves every sub-network's first one, whatever layer that
    stands behind, and so on. `WrongUse` where its tokenizer is not one plain convolution, its position
    embedding not learned, or its pool has weights: these share none.
    """

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        super().__init__(**largest)
        if len(largest["tokenizer"]) > 1 or largest["tokenizer"][0]["pool"] or self.position is None or self.pool:
            raise WrongUse("weights are shared by one tokenizer convolution, a learned position, a pool without any")
        self._locate = locate
        self._active = largest

    def activate(self, architecture: Architecture) -> None:
        """From now on `forward` runs this sub-network; what does not fit into the largest is refused by `forward`."""
        self._active = self._locate(architecture)

    def extract(self, architecture: Architecture) -> TransformerNetwork:
        """The plain network with copies of its slices. Draws no random number and changes nothing here.

        `WrongUse` where it does not fit into the largest.
        """
        with torch.device("meta"):  # initial weights would be thrown away
            network = TransformerNetwork(**self._locate(architecture))
        network.to_empty(device=self.classifier.weight.device)
        shared = dict(self.named_parameters())
        with torch.no_grad():
            for name, own in network.named_parameters():
                cut = leading_heads if ".qkv." in name else leading
                own.copy_(cut(shared[name], own.shape))
        return network.train(self.training)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes) of the active sub-network."""
        x = self._tokens(x, self._active["tokenizer"][0]["out"])
        after = [spec["after"] for spec in self._active.get("reductions", ())]
        stage, places = 0, self.places(0, x.device)
        for number, (layer, spec) in enumerate(zip(self.layers, self._active["layers"], strict=False), start=1):
            x = self._layer(layer, spec, x, places)
            if number in after:
                x = self._reduced(stage, x, self._active["reductions"][stage]["out"])
                stage += 1
                places = self.places(stage, x.device)
        return _linear(self.classifier, self._pooled(leading_norm(self.norm, x)), self.classifier.out_features)

    def _tokens(self, x: Tensor, dim: int) -> Tensor:
        conv: Any = self.tokenizer[0]
        bias = None if conv.bias is None else conv.bias[:dim]
        x = as_tokens(functional.conv2d(x, conv.weight[:dim], bias, conv.stride, conv.padding))
        if self.class_token is not None:
            x = torch.cat([self.class_token[..., :dim].expand(len(x), -1, -1), x], dim=1)
        position: Any = self.position
        placed: Tensor = x + position[..., :dim]
        return placed

    def _reduced(self, stage: int, x: Tensor, out: int) -> Tensor:
        reduction: Any = self.reductions[stage]
        size, conv, normalised = self.sizes[stage], reduction.conv, leading_norm(reduction.norm, x)
        weight = leading(conv.weight, (out, x.shape[-1], *conv.kernel_size))
        made = functional.conv2d(as_map(normalised, size), weight, conv.bias[:out], conv.stride, conv.padding)
        linear = reduction.class_linear
        of_class = None if linear is None else _linear(linear, normalised[:, :1], out)
        return beside_means(x, size, as_tokens(made) + reduction.position[..., :out], of_class, out - x.shape[-1])

    @staticmethod
    def _layer(layer: Any, spec: LayerSpec, x: Tensor, places: Tensor | None) -> Tensor:
        dim, width = x.shape[-1], spec["heads"] * spec["head_dim"]
        attention = layer.attention
        weight = leading_heads(attention.qkv.weight, (QUERY_KEY_VALUE * width, dim))
        bias = attention.qkv.bias
        bias = None if bias is None else leading_heads(bias, (QUERY_KEY_VALUE * width,))
        mixed = attention.mix(functional.linear(leading_norm(layer.norm1, x), weight, bias), spec["heads"], places)
        x = x + _linear(attention.project, mixed, dim)
        hidden = layer.activation(_linear(layer.expand, leading_norm(layer.norm2, x), spec["mlp"]))
        return x + _linear(layer.contract, hidden, dim)


def _linear(layer: nn.Linear, x: Tensor, out: int) -> Tensor:
    bias = layer.bias if out == layer.out_features else layer.bias[:out]
    return functional.linear(x, leading(layer.weight, (out, x.shape[-1])), bias)


def leading_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Layer norm of as many channels as `x` (..., channels) has."""
    size = (x.shape[-1],)
    return functional.layer_norm(x, size, leading(norm.weight, size), leading(norm.bias, size), norm.eps)
