"""Networks that TinyNet's rule scales, typed from timm's definitions (huggingface/pytorch-image-models, Apache-2.0)."""

from dataclasses import dataclass
from typing import NamedTuple

MBCONV, GHOST = "mbconv", "ghost"


class BlockRun(NamedTuple):
    """Like blocks in a row; the first has the stride.

    `squeeze`: share of squeeze-excite's bottleneck, 0 for none; with `squeeze_second` only every second block has it.
    """

    repeats: int
    kernel: int
    stride: int
    expand: float
    channels: int
    squeeze: float = 0.0
    skip: bool = True
    activation: str = ""
    squeeze_second: bool = False


@dataclass(frozen=True)
class Base:
    """A network of multiplier 1. A stage is what depth is scaled in; `head` channels do not shrink with the width.

    `squeeze_from_input`: its bottleneck is a share of the block's input, not of its inner channels, and not rounded to
    8. `last`: channels of a last 1x1 convolution that is scaled, before the pooling; 0: `head` is that convolution,
    else it is a linear layer behind the pooling. `blocks`: their kind. Channels are multiples of `divisor`.
    """

    macs: int  # at 224 pixels with 1000 classes
    stem: int
    stages: tuple[tuple[BlockRun, ...], ...]
    head: int
    activation: str
    gate: tuple[str, str] = ("relu", "hardsigmoid")
    squeeze_from_input: bool = False
    last: int = 0
    blocks: str = MBCONV
    divisor: int = 8


def _stages(*runs: BlockRun) -> tuple[tuple[BlockRun, ...], ...]:
    return tuple((run,) for run in runs)


_B0 = _stages(
    BlockRun(1, 3, 1, 1, 16, 0.25),
    BlockRun(2, 3, 2, 6, 24, 0.25),
    BlockRun(2, 5, 2, 6, 40, 0.25),
    BlockRun(3, 3, 2, 6, 80, 0.25),
    BlockRun(3, 5, 1, 6, 112, 0.25),
    BlockRun(4, 5, 2, 6, 192, 0.25),
    BlockRun(1, 3, 1, 6, 320, 0.25),
)
_MOBILENET_V2 = _stages(
    BlockRun(1, 3, 1, 1, 16),
    BlockRun(2, 3, 2, 6, 24),
    BlockRun(3, 3, 2, 6, 32),
    BlockRun(4, 3, 2, 6, 64),
    BlockRun(3, 3, 1, 6, 96),
    BlockRun(3, 3, 2, 6, 160),
    BlockRun(1, 3, 1, 6, 320),
)
_MNASNET = _stages(
    BlockRun(1, 3, 1, 1, 16, skip=False),
    BlockRun(3, 3, 2, 3, 24),
    BlockRun(3, 5, 2, 3, 40),
    BlockRun(3, 5, 2, 6, 80),
    BlockRun(2, 3, 1, 6, 96),
    BlockRun(4, 5, 2, 6, 192),
    BlockRun(1, 3, 1, 6, 320, skip=False),
)
_MOBILENET_V3_LARGE = (
    (BlockRun(1, 3, 1, 1, 16, activation="relu"),),
    (BlockRun(1, 3, 2, 4, 24, activation="relu"), BlockRun(1, 3, 1, 3, 24, activation="relu")),
    (BlockRun(3, 5, 2, 3, 40, 0.25, activation="relu"),),
    (BlockRun(1, 3, 2, 6, 80), BlockRun(1, 3, 1, 2.5, 80), BlockRun(2, 3, 1, 2.3, 80)),
    (BlockRun(2, 3, 1, 6, 112, 0.25),),
    (BlockRun(3, 5, 2, 6, 160, 0.25),),
)
_MOBILENET_V3_SMALL = (
    (BlockRun(1, 3, 2, 1, 16, 0.25, activation="relu"),),
    (BlockRun(1, 3, 2, 4.5, 24, activation="relu"), BlockRun(1, 3, 1, 3.67, 24, activation="relu")),
    (BlockRun(1, 5, 2, 4, 40, 0.25), BlockRun(2, 5, 1, 6, 40, 0.25)),
    (BlockRun(2, 5, 1, 3, 48, 0.25),),
    (BlockRun(3, 5, 2, 6, 96, 0.25),),
)
# GhostNet (Han et al., arXiv 1911.11907): block for block that of MobileNetV3-Large
_GHOSTNET = (
    (BlockRun(1, 3, 1, 1, 16),),
    (BlockRun(2, 3, 2, 3, 24),),
    (BlockRun(2, 5, 2, 3, 40, 0.25),),
    (BlockRun(1, 3, 2, 6, 80), BlockRun(1, 3, 1, 2.5, 80), BlockRun(2, 3, 1, 2.3, 80)),
    (BlockRun(2, 3, 1, 6, 112, 0.25),),
    (BlockRun(1, 5, 2, 6, 160, 0.25), BlockRun(4, 5, 1, 6, 160, 0.25, squeeze_second=True)),
)

BASES = {
    "efficientnet_b0": Base(385_814_752, 32, _B0, 1280, "silu", ("silu", "sigmoid"), squeeze_from_input=True),
    "mobilenetv2_100": Base(300_774_272, 32, _MOBILENET_V2, 1280, "relu6"),
    "mnasnet_100": Base(314_415_872, 32, _MNASNET, 1280, "relu"),
    "mobilenetv3_large_100": Base(216_589_760, 16, _MOBILENET_V3_LARGE, 1280, "hardswish", last=960),
    "mobilenetv3_small_100": Base(56_510_400, 16, _MOBILENET_V3_SMALL, 1024, "hardswish", last=576),
    "ghostnet_100": Base(141_150_512, 16, _GHOSTNET, 1280, "relu", last=960, blocks=GHOST, divisor=4),
}
