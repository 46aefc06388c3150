"""TinyViT networks, described by plain numbers.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.
Source: TinyViT (arXiv 2207.10666); learned biases by the distance of two pixels of a window: LeViT (arXiv 2104.01136).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict

import torch
from torch import Tensor, nn


class StageSpec(TypedDict):
    """One stage: `dim` channels, `depth` blocks; the attention stages have `heads`, a `window` and `mlp` channels."""

    dim: int
    depth: int
    heads: int
    window: int
    mlp: int


class ConvNorm(nn.Sequential):
    """Convolution without bias and batch norm; keeps ceil(side / stride) pixels."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs))


class MbconvBlock(nn.Module):
    """Expand, depthwise, project, residual, each with GELU behind it, the last one behind the residual."""

    def __init__(self, dim: int, mid: int) -> None:
        super().__init__()
        self.expand = ConvNorm(dim, mid)
        self.depthwise = ConvNorm(mid, mid, 3, groups=mid)
        self.project = ConvNorm(mid, dim)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, dim, H, W) -> the same shape."""
        y = self.activation(self.depthwise(self.activation(self.expand(x))))
        z: Tensor = self.activation(x + self.project(y))
        return z


class Merging(nn.Module):
    """Between two stages: to the next one's channels, and half the side (rounded up)."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNorm(dim, out)
        self.depthwise = ConvNorm(out, out, 3, 2, groups=out)
        self.project = ConvNorm(out, out)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, dim, H, W) -> (N, out, ceil(H / 2), ceil(W / 2))."""
        y: Tensor = self.project(self.activation(self.depthwise(self.activation(self.expand(x)))))
        return y


class WindowAttention(nn.Module):
    """Self-attention inside square windows, with a learned bias for each distance and head."""

    places: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, dim // heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)
        self.biases = nn.Parameter(torch.zeros(heads, window * window))
        self.register_buffer("places", _distances(window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(windows, pixels, dim) -> the same shape."""
        windows, pixels, dim = x.shape
        qkv = self.qkv(self.norm(x)).reshape(windows, pixels, self.heads, 3, self.head_dim)
        q, k, v = qkv.permute(3, 0, 2, 1, 4).unbind(0)
        scores = (q * self.head_dim**-0.5) @ k.transpose(-2, -1) + self.biases[:, self.places]
        mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(windows, pixels, dim)
        y: Tensor = self.project(mixed)
        return y


class AttentionBlock(nn.Module):
    """Window attention, a depthwise 3x3 convolution, an MLP; residuals round the first and the last."""

    def __init__(self, spec: StageSpec) -> None:
        super().__init__()
        dim = spec["dim"]
        self.window = spec["window"]
        self.attention = WindowAttention(dim, spec["heads"], spec["window"])
        self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, spec["mlp"]), nn.GELU(), nn.Linear(spec["mlp"], dim))
        self.local = ConvNorm(dim, dim, 3, groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, dim, H, W) -> the same shape; windows tile H and W."""
        x = self.local(x + self._windows_mixed(x))
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.mlp(tokens)
        y: Tensor = tokens.transpose(1, 2).reshape(x.shape)
        return y

    def _windows_mixed(self, x: Tensor) -> Tensor:
        (batch, dim, height, width), side = x.shape, self.window
        cut = x.reshape(batch, dim, height // side, side, width // side, side)
        windows = cut.permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, dim)
        mixed = self.attention(windows).reshape(batch, height // side, width // side, side, side, dim)
        y: Tensor = mixed.permute(0, 5, 1, 3, 2, 4).reshape(x.shape)
        return y


class TinyVitNetwork(nn.Module):
    """Two convolutions of stride 2, a stage of MBConv blocks, three of window attention, a linear classifier.

    Arguments: `input_size` [channels, height, width], whose maps the windows must tile; `stages` four; `expand` the
    ratio of the first stage's inner channels; `classes`. All are plain JSON values. `ValueError` where a width is no
    multiple of its heads or a window does not tile its map.
    """

    def __init__(self, input_size: Sequence[int], stages: Sequence[StageSpec], expand: float, classes: int) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        _check(self.input_size[1:], stages)
        first = stages[0]["dim"]
        self.stem = nn.Sequential(
            ConvNorm(self.input_size[0], first // 2, 3, 2), nn.GELU(), ConvNorm(first // 2, first, 3, 2)
        )
        mid = int(first * expand)
        blocks: list[nn.Module] = [MbconvBlock(first, mid) for _ in range(stages[0]["depth"])]
        for before, spec in pairwise(stages):
            blocks += [Merging(before["dim"], spec["dim"]), *(AttentionBlock(spec) for _ in range(spec["depth"]))]
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.norm = nn.LayerNorm(stages[-1]["dim"])
        self.classifier = nn.Linear(stages[-1]["dim"], classes)
        self.apply(_initialise)
        for module in self.modules():
            if isinstance(module, MbconvBlock):
                nn.init.zeros_(module.project.get_parameter("1.weight"))  # a block begins as its residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes)."""
        x = self.pool(self.blocks(self.stem(x))).flatten(1)
        logits: Tensor = self.classifier(self.norm(x))
        return logits


def _check(size: Sequence[int], stages: Sequence[StageSpec]) -> None:
    height, width = (math.ceil(side / 4) for side in size)
    for number, spec in enumerate(stages[1:], start=2):
        height, width = -(-height // 2), -(-width // 2)
        if spec["dim"] % spec["heads"]:
            raise ValueError(f"stage {number}: {spec['dim']} channels are no multiple of {spec['heads']} heads")
        if height % spec["window"] or width % spec["window"]:
            raise ValueError(f"stage {number}: windows of {spec['window']} do not tile its map of {height}x{width}")


def _distances(window: int) -> Tensor:
    """(pixels, pixels): the number of each pair's distance (rows, columns), as it first occurs row by row."""
    side = torch.arange(window)
    apart = (side[:, None] - side).abs()
    rows = apart.repeat_interleave(window, dim=0).repeat_interleave(window, dim=1)
    return rows * window + apart.repeat(window, window)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
