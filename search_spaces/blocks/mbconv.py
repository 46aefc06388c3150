"""Networks of inverted residual blocks (MBConv), described by plain numbers.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.
Sources: MobileNetV2 (arXiv 1801.04381) for the block; MCUNetV2 (arXiv 2110.15352) for blocks without a depthwise
convolution; MobileNetV3 (arXiv 1905.02244) for squeeze-excite with a hard sigmoid, and for a linear layer between the
pooling and the classifier; EfficientNet (arXiv 1905.11946) for SiLU and a sigmoid.
"""

from collections.abc import Sequence
from typing import ClassVar, NotRequired, TypedDict

from torch import Tensor, nn

# What stands after a batch norm, and what closes a gate between 0 and 1.
ACTIVATIONS = {"relu6": nn.ReLU6, "relu": nn.ReLU, "silu": nn.SiLU, "hardswish": nn.Hardswish}
GATES = {"hardsigmoid": nn.Hardsigmoid, "sigmoid": nn.Sigmoid}


class Stem(TypedDict):
    """The first convolution."""

    out: int
    kernel: int
    stride: int


BlockSpec = TypedDict(
    "BlockSpec",
    {
        "in": int,  # channels of the block's input
        "mid": int,  # channels inside the block; 0 means those of the input, without an expanding convolution
        "out": int,
        "kernel": int,  # side of the depthwise kernel; 1 means no depthwise convolution at all
        "stride": int,
        "residual": bool,  # adds the input to the output
        "squeeze": int,  # channels of the squeeze-excite bottleneck; 0 means none
        "activation": NotRequired[str],  # where it is not the network's
    },
)


class StitchSpec(TypedDict):
    """A 1x1 convolution with bias behind so many blocks; `out` channels from there on."""

    after: int
    out: int


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm and an activation (none where it is empty); keeps ceil(side / stride)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: str = "relu6",
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        # Not in place: training would then clone the input, which costs more than the memory it saves.
        self.activation = ACTIVATIONS[activation]() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.activation(self.norm(self.conv(x)))
        return y


class SqueezeExcite(nn.Module):
    """Scales each channel by a number in 0..1 computed from the means of all channels."""

    def __init__(self, channels: int, bottleneck: int, activation: str = "relu", gate: str = "hardsigmoid") -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, bottleneck, 1)
        self.activation = ACTIVATIONS[activation]()
        self.expand = nn.Conv2d(bottleneck, channels, 1)
        self.gate = GATES[gate]()

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        scale: Tensor = self.gate(self.expand(self.activation(self.reduce(self.pool(x)))))
        return x * scale


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise (k x k), squeeze-excite, project (1x1, linear), residual; absent parts are `Identity`."""

    def __init__(
        self, spec: BlockSpec, activation: str = "relu6", squeeze: tuple[str, str] = ("relu", "hardsigmoid")
    ) -> None:
        super().__init__()
        mid = spec["mid"] or spec["in"]
        if spec["kernel"] == 1 and spec["stride"] != 1:
            raise ValueError(f"a block without a depthwise convolution has stride 1, got stride {spec['stride']}")
        if spec["residual"] and (spec["stride"] != 1 or spec["in"] != spec["out"]):
            raise ValueError(f"a residual needs stride 1 and as many channels out as in, got {dict(spec)}")
        own = spec.get("activation", activation)
        self.residual = spec["residual"]
        self.expand = ConvNorm(spec["in"], mid, activation=own) if spec["mid"] else nn.Identity()
        self.depthwise = (
            ConvNorm(mid, mid, spec["kernel"], spec["stride"], groups=mid, activation=own)
            if spec["kernel"] > 1
            else nn.Identity()
        )
        self.squeeze = SqueezeExcite(mid, spec["squeeze"], *squeeze) if spec["squeeze"] else nn.Identity()
        self.project = ConvNorm(mid, spec["out"], activation="")

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class MbconvNetwork(nn.Module):
    """Stem, inverted residual blocks, an optional 1x1 convolution, global average pooling, a linear classifier.

    Arguments: `input_size` [channels, height, width] (the resolution the network is meant for; others run as well),
    `stem` the first convolution, `blocks` in order, `mix` the channels of the last 1x1 convolution (0: none),
    `classes`, `hidden` the channels of a linear layer before the classifier (0: none), `activation` after every batch
    norm where a block has none of its own, `squeeze` (activation, gate) of squeeze-excite, `stitches` between blocks in
    order of these. All are plain JSON values.
    Weights are He-initialised by fan-out; `ValueError` on an impossible block.
    """

    begins: ClassVar[tuple[str, ...]] = ("stem",)
    ends: ClassVar[tuple[str, ...]] = ("mix", "hidden", "classifier")

    def __init__(
        self,
        input_size: Sequence[int],
        stem: Stem,
        blocks: Sequence[BlockSpec],
        mix: int,
        classes: int,
        hidden: int = 0,
        activation: str = "relu6",
        squeeze: Sequence[str] = ("relu", "hardsigmoid"),
        stitches: Sequence[StitchSpec] = (),
    ) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.stem = ConvNorm(self.input_size[0], stem["out"], stem["kernel"], stem["stride"], activation=activation)
        gate = (squeeze[0], squeeze[1])
        self.blocks = nn.ModuleList(InvertedResidual(spec, activation, gate) for spec in blocks)
        # channels of what each block reads and, last, of what the last one makes
        self.widths = [spec["in"] for spec in blocks] + [spec["out"] for spec in blocks[-1:]]
        self.stitched = [spec["after"] for spec in stitches]
        self.stitches = nn.ModuleList(nn.Conv2d(blocks[s["after"] - 1]["out"], s["out"], 1) for s in stitches)
        last = blocks[-1]["out"] if blocks else stem["out"]
        self.mix = ConvNorm(last, mix, activation=activation) if mix else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden = (
            nn.Sequential(nn.Linear(mix or last, hidden), ACTIVATIONS[activation]()) if hidden else nn.Identity()
        )
        self.classifier = nn.Linear(hidden or mix or last, classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes)."""
        x = self.embed(x)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in self.stitched:
                x = self.stitches[self.stitched.index(number)](x)
        return self.classify(x)

    def embed(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> what the first block reads."""
        y: Tensor = self.stem(x)
        return y

    @property
    def stack(self) -> nn.ModuleList:
        """What lies between what `begins` and what `ends`."""
        return self.blocks

    def run(self, x: Tensor, first: int, end: int) -> Tensor:
        """Through the blocks `first` to `end` - 1, without stitches between them."""
        for block in self.blocks[first:end]:
            x = block(x)
        return x

    def classify(self, x: Tensor) -> Tensor:
        """What the last block made -> logits (N, classes)."""
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
