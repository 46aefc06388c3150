"""Networks of ghost bottlenecks, described by plain numbers.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.
Source: GhostNet (Han et al., arXiv 1911.11907): half of the channels of a layer are made by a convolution, the other
half from these by a cheap depthwise one.
"""

from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor, nn

_CHEAP_KERNEL = 3


class Stem(TypedDict):
    """The first convolution."""

    out: int
    kernel: int
    stride: int


GhostSpec = TypedDict(
    "GhostSpec",
    {
        "in": int,  # channels of the block's input
        "mid": int,  # channels between its two ghost modules; even, as `out`
        "out": int,
        "kernel": int,  # side of the depthwise kernels: of the stride, and of the way round the block
        "stride": int,
        "squeeze": int,  # channels of the squeeze-excite bottleneck; 0 means none
    },
)


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, a ReLU unless it is linear; keeps ceil(side / stride) pixels."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs), nn.Identity() if linear else nn.ReLU())


class GhostModule(nn.Module):
    """A 1x1 convolution to half of the channels, and their ghosts: a depthwise 3x3 convolution of these."""

    def __init__(self, inputs: int, outputs: int, linear: bool = False) -> None:
        super().__init__()
        if outputs % 2:
            raise ValueError(f"half of the channels of a ghost module are ghosts, so they are even; got {outputs}")
        half = outputs // 2
        self.primary = ConvNorm(inputs, half, linear=linear)
        self.cheap = ConvNorm(half, half, _CHEAP_KERNEL, groups=half, linear=linear)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H, W)."""
        primary = self.primary(x)
        return torch.cat([primary, self.cheap(primary)], dim=1)


class SqueezeExcite(nn.Module):
    """Scales each channel by a number in 0..1 computed from the means of all channels."""

    def __init__(self, channels: int, bottleneck: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, bottleneck, 1)
        self.expand = nn.Conv2d(bottleneck, channels, 1)
        self.activation, self.gate = nn.ReLU(), nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        scale: Tensor = self.gate(self.expand(self.activation(self.reduce(self.pool(x)))))
        return x * scale


class GhostBottleneck(nn.Module):
    """A ghost module, a depthwise convolution where the block has a stride, squeeze-excite, a linear ghost module.

    Its input is added: as it is where shapes allow, else behind a depthwise and a 1x1 convolution. Absent parts are
    `Identity`.
    """

    def __init__(self, spec: GhostSpec) -> None:
        super().__init__()
        inside, mid, out, kernel, stride = spec["in"], spec["mid"], spec["out"], spec["kernel"], spec["stride"]
        self.widen = GhostModule(inside, mid)
        self.depthwise = ConvNorm(mid, mid, kernel, stride, mid, linear=True) if stride > 1 else nn.Identity()
        self.squeeze = SqueezeExcite(mid, spec["squeeze"]) if spec["squeeze"] else nn.Identity()
        self.narrow = GhostModule(mid, out, linear=True)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inside == out
            else nn.Sequential(
                ConvNorm(inside, inside, kernel, stride, inside, linear=True), ConvNorm(inside, out, linear=True)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.narrow(self.squeeze(self.depthwise(self.widen(x))))
        shortcut: Tensor = self.shortcut(x)
        return y + shortcut


class GhostNetwork(nn.Module):
    """Stem, ghost bottlenecks, a 1x1 convolution, global average pooling, a linear layer, a linear classifier.

    Arguments: `input_size` [channels, height, width] (the resolution the network is meant for; others run as well),
    `stem` the first convolution, `blocks` in order, `mix` the channels of the last 1x1 convolution, `hidden` those of
    the linear layer before the classifier, `classes`. All are plain JSON values. Weights are He-initialised by
    fan-out; `ValueError` on an impossible block.
    """

    def __init__(
        self, input_size: Sequence[int], stem: Stem, blocks: Sequence[GhostSpec], mix: int, hidden: int, classes: int
    ) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.stem = ConvNorm(self.input_size[0], stem["out"], stem["kernel"], stem["stride"])
        self.blocks = nn.ModuleList(GhostBottleneck(spec) for spec in blocks)
        self.mix = ConvNorm(blocks[-1]["out"] if blocks else stem["out"], mix)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden = nn.Sequential(nn.Linear(mix, hidden), nn.ReLU())
        self.classifier = nn.Linear(hidden, classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes)."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.classifier(self.hidden(self.pool(self.mix(x)).flatten(1)))
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1] // module.groups
        nn.init.normal_(module.weight, 0.0, (2.0 / fan_out) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.01)
        nn.init.zeros_(module.bias)
