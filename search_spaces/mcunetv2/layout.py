"""Where everything of the space stands: blocks, their choices (columns of the matrix) and their operator slots."""

from dataclasses import dataclass

from search_spaces.core.choice import Choice
from search_spaces.core.layer_table import Kind
from search_spaces.core.rounding import make_divisible
from search_spaces.mcunetv2.settings import BACKBONES, Backbone, Mcunetv2Settings

WIDTHS = (0.5, 0.75, 1.0)
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
DEPTHS = (2, 3, 4)
FIRST_KERNELS = (1, 3)
FUSED = 1


@dataclass(frozen=True)
class BlockPlace:
    """One elastic position; `kernel`, `expand`, `width`, `depth` are columns of the population's matrix (-1: none).

    `channels` are the output channels by width option, `needed_depth` the stage depth from which the block exists.
    `slot` is its first operator slot: expand (not in the first block), depthwise, project, add (where a residual is
    possible). `residual`: adds its input where that has as many channels as its output.
    """

    name: str
    kernels: tuple[int, ...]
    kernel: int
    expand: int
    width: int
    depth: int
    needed_depth: int
    stride: int
    residual: bool
    channels: tuple[int, ...]
    slot: int

    @property
    def optional(self) -> bool:
        """Whether rows with a shallower stage lack the block."""
        return self.needed_depth > min(DEPTHS)

    @property
    def operators(self) -> tuple[str, ...]:
        """Names of its operator slots in order."""
        before = ("expand",) if self.expand >= 0 else ()
        return (*before, "depthwise", "project", *(("add",) if self.residual else ()))


@dataclass(frozen=True)
class Layout:
    """The choices in matrix order, the stem's columns and channels, and the blocks in execution order."""

    choices: tuple[Choice, ...]
    stem_width: int
    stem_channels: tuple[int, ...]
    blocks: tuple[BlockPlace, ...]
    resolution: int = 0
    stem_stride: int = 2

    @property
    def slot_names(self) -> tuple[str, ...]:
        """`stem`, `s1.b1.expand`, ..., `pool`, `classifier`."""
        inner = [f"{block.name}.{operator}" for block in self.blocks for operator in block.operators]
        return ("stem", *inner, "pool", "classifier")

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The operator kind of every slot."""
        of = {"depthwise": Kind.DEPTHWISE, "add": Kind.ADD, "pool": Kind.POOL, "classifier": Kind.LINEAR}
        return tuple(of.get(name.rsplit(".", 1)[-1], Kind.CONV) for name in self.slot_names)


class _Builder:
    def __init__(self, settings: Mcunetv2Settings) -> None:
        self.per_block = settings.width == "per_block"
        self.choices = [Choice("resolution", settings.resolutions)]
        self.blocks: list[BlockPlace] = []
        self.slot = 1
        self.inside: tuple[int, ...] = ()

    def add(self, name: str, options: tuple[int, ...] | tuple[float, ...]) -> int:
        self.choices.append(Choice(name, options))
        return len(self.choices) - 1

    def block(
        self,
        name: str,
        base: int,
        stride: int,
        *,
        kernels: tuple[int, ...],
        expands: bool = True,
        width: int = -1,
        depth: int = -1,
        needed_depth: int = 0,
    ) -> None:
        width = width if width >= 0 else self.add(f"{name}.width", WIDTHS)
        kernel = self.add(f"{name}.kernel", kernels)
        expand = self.add(f"{name}.expand", EXPANSIONS) if expands else -1
        channels = _channels(base)
        # the first block has none, as in MCUNet: it would hold the largest map of the network
        residual = expands and stride == 1 and bool(set(self.inside) & set(channels))
        place = BlockPlace(
            name, kernels, kernel, expand, width, depth, needed_depth, stride, residual, channels, self.slot
        )
        self.blocks.append(place)
        self.slot += len(place.operators)
        self.inside = channels

    def stage(self, number: int, base: int, stride: int, fused: bool) -> None:
        name = f"s{number}"
        depth = self.add(f"{name}.depth", DEPTHS)
        width = -1 if self.per_block else self.add(f"{name}.width", WIDTHS)
        for index in range(max(DEPTHS)):
            step = stride if index == 0 else 1
            # without its depthwise convolution a block sees no neighbour: that redistributes the receptive field
            kernels = (FUSED, *KERNELS) if fused and step == 1 else KERNELS
            place = f"{name}.b{index + 1}"
            self.block(place, base, step, kernels=kernels, width=width, depth=depth, needed_depth=index + 1)


def _channels(base: int) -> tuple[int, ...]:
    return tuple(make_divisible(base * width) for width in WIDTHS)


def make_layout(settings: Mcunetv2Settings) -> Layout:
    """The layout of the space with these settings."""
    backbone: Backbone = BACKBONES[settings.backbone]
    builder = _Builder(settings)
    stem_width = builder.add("stem.width", WIDTHS)
    builder.block("first", backbone.first, 1, kernels=FIRST_KERNELS, expands=False)
    for index, (base, stride) in enumerate(zip(backbone.stages, backbone.strides, strict=True)):
        builder.stage(index + 1, base, stride, fused=index < backbone.fused_stages)
    builder.block("last", backbone.last, 1, kernels=KERNELS)
    return Layout(tuple(builder.choices), stem_width, _channels(backbone.stem), tuple(builder.blocks))
