"""Residual networks of bottleneck blocks, described by plain numbers.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.
Sources: ResNet (arXiv 1512.03385) for the bottleneck, the stride in its 3x3 convolution as in torchvision and timm;
ResNet-D (arXiv 1812.01187) for a stem of three convolutions and a pooled shortcut; OFA-ResNet50 (Once-for-all, arXiv
1908.09791; mit-han-lab/once-for-all, MIT) for a middle convolution of the stem beside which its input is added.
"""

from collections.abc import Sequence
from typing import TypedDict

from torch import Tensor, nn

MIDDLES = ("none", "plain", "residual")
SHORTCUTS = ("identity", "conv", "pool_conv")


class Stem(TypedDict):
    """The first convolution; where `mid` is not 0 it makes `mid` channels and a 3x3 convolution makes `out` of these.

    `middle`: a 3x3 convolution between the two, residual with its input added behind the activation.
    """

    mid: int
    out: int
    kernel: int
    stride: int
    middle: str


BlockSpec = TypedDict(
    "BlockSpec",
    {
        "in": int,  # channels of the block's input
        "mid": int,  # channels of the 3x3 convolution
        "out": int,
        "stride": int,
        "shortcut": str,  # identity, conv (1x1, strided), pool_conv (the mean of stride x stride pixels, then 1x1)
    },
)


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm and, unless told otherwise, ReLU; keeps ceil(side / stride) pixels."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, activation: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        # Not in place: training would then clone the input, which costs more than the memory it saves.
        self.activation = nn.ReLU() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.activation(self.norm(self.conv(x)))
        return y


class StemConvs(nn.Module):
    """One convolution, or two or three of them; absent ones are `Identity`."""

    def __init__(self, channels: int, spec: Stem) -> None:
        super().__init__()
        mid, middle = spec["mid"], spec["middle"]
        if middle not in MIDDLES or (middle != "none" and not mid):
            raise ValueError(f"middle is {', '.join(MIDDLES)}, and none where the stem is one convolution, got {spec}")
        self.residual = middle == "residual"
        self.first = ConvNorm(channels, mid or spec["out"], spec["kernel"], spec["stride"])
        self.middle = nn.Identity() if middle == "none" else ConvNorm(mid, mid, 3)
        self.last = ConvNorm(mid, spec["out"], 3) if mid else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, out, ceil(H / stride), ceil(W / stride))."""
        x = self.first(x)
        x = x + self.middle(x) if self.residual else self.middle(x)
        y: Tensor = self.last(x)
        return y


class Shortcut(nn.Module):
    """What stands beside a block that changes channels or size; of an odd side the last mean is over what is there."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        stride, pooled = spec["stride"], spec["shortcut"] == "pool_conv" and spec["stride"] > 1
        self.pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False) if pooled else nn.Identity()
        self.project = ConvNorm(spec["in"], spec["out"], stride=1 if pooled else stride, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.project(self.pool(x))
        return y


class Bottleneck(nn.Module):
    """Reduce (1x1), spatial (3x3, strided), expand (1x1), then ReLU of the sum with the shortcut."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        same = spec["stride"] == 1 and spec["in"] == spec["out"]
        if spec["shortcut"] not in SHORTCUTS or (spec["shortcut"] == "identity" and not same):
            raise ValueError(
                f"shortcut is {', '.join(SHORTCUTS)}, and identity only with stride 1 and as many channels out as in, "
                f"got {dict(spec)}"
            )
        self.reduce = ConvNorm(spec["in"], spec["mid"])
        self.spatial = ConvNorm(spec["mid"], spec["mid"], 3, spec["stride"])
        self.expand = ConvNorm(spec["mid"], spec["out"], activation=False)
        self.shortcut = nn.Identity() if spec["shortcut"] == "identity" else Shortcut(spec)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, ceil(H / stride), ceil(W / stride))."""
        y = self.expand(self.spatial(self.reduce(x)))
        summed: Tensor = self.activation(self.shortcut(x) + y)
        return summed


class ResnetNetwork(nn.Module):
    """Stem, an optional 3x3 maximum of stride 2, bottleneck blocks, global average pooling, a linear classifier.

    Arguments: `input_size` [channels, height, width] (the resolution the network is meant for; others run as well),
    `stem`, `pool` whether the maximum stands behind it, `blocks` in order, `classes`. All are plain JSON values.
    Convolutions are He-initialised by fan-out; `ValueError` on an impossible stem or block.
    """

    def __init__(
        self, input_size: Sequence[int], stem: Stem, pool: bool, blocks: Sequence[BlockSpec], classes: int
    ) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.stem = StemConvs(self.input_size[0], stem)
        self.pool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()
        self.blocks = nn.Sequential(*(Bottleneck(spec) for spec in blocks))
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(blocks[-1]["out"] if blocks else stem["out"], classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.mean(self.blocks(self.pool(self.stem(x)))).flatten(1))
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.01)
        nn.init.zeros_(module.bias)
