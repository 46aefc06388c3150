"""One MBConv network whose smaller networks are slices of its weights.

A sub-network uses the first channels of each layer, the centre of each depthwise kernel and, in each stage, the first
blocks. Sources: Once-for-all (arXiv 1908.09791) for the slices; MCUNet (arXiv 2007.10319, appendix E) for kernels
shared by their centre alone, without learned transforms.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from search_spaces.blocks.elastic_convolutions import classified, conv_norm, cut_out, forget_statistics, share_norms
from search_spaces.blocks.mbconv import BlockSpec, MbconvNetwork
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse

Locate = Callable[[Architecture], tuple[Mapping[str, Any], Sequence[int]]]


class ElasticMbconv(MbconvNetwork):
    """The largest network of a space; `activate` makes `forward` run any smaller one on slices of its weights.

    `largest` holds the arguments of `MbconvNetwork`. `locate` says what an architecture is: arguments of the same kind
    for its plain network, and the position of each of its blocks among those of the largest. Right after construction
    the largest is active. Parameter names and shapes are those of `MbconvNetwork(**largest)`; `state_dict` holds
    parameters alone.

    Batch norm: scale and shift are shared. In train mode `forward` normalises by the batch and keeps no statistics,
    unless `track_running_stats` of the norm layers is set, as recalibration does. In eval mode it uses the statistics
    kept since the last `activate` (where there were none: mean 0, variance 1, as in a fresh network).
    Squeeze-excite is not elastic: `WrongUse`.
    """

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        _refuse_squeeze(largest["blocks"])
        super().__init__(**largest)
        self._locate = locate
        self._arguments, self._positions = largest, tuple(range(len(self.blocks)))
        self._norms = share_norms(self)

    def activate(self, architecture: Architecture) -> None:
        """From now on `forward` runs this sub-network; kept batch-norm statistics are forgotten.

        `WrongUse` where its layers are not among those of the largest; channels or kernels larger than the largest's
        are refused by `forward`.
        """
        self._arguments, self._positions = self._located(architecture)
        forget_statistics(self._norms)

    def extract(self, architecture: Architecture) -> MbconvNetwork:
        """The plain network with copies of its slices; its batch-norm statistics are those of a fresh network.

        Draws no random number and changes nothing here. `WrongUse` where it does not fit into the largest.
        """
        arguments, positions = self._located(architecture)
        return cut_out(self, lambda: MbconvNetwork(**arguments), positions)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes) of the active sub-network."""
        active = self._arguments
        x = conv_norm(self.stem, x, active["stem"]["out"], active["stem"]["kernel"], active["stem"]["stride"])
        for spec, position in zip(active["blocks"], self._positions, strict=True):
            x = self._block(self.blocks[position], spec, x)
        if active["mix"]:
            x = conv_norm(self.mix, x, active["mix"])
        return classified(self.classifier, self.pool(x).flatten(1), active["classes"])

    def _block(self, block: nn.Module, spec: BlockSpec, x: Tensor) -> Tensor:
        y = conv_norm(block.expand, x, spec["mid"]) if spec["mid"] else x
        if spec["kernel"] > 1:
            y = conv_norm(block.depthwise, y, y.shape[1], spec["kernel"], spec["stride"], groups=y.shape[1])
        y = conv_norm(block.project, y, spec["out"])
        return x + y if spec["residual"] else y

    def _located(self, architecture: Architecture) -> tuple[Mapping[str, Any], tuple[int, ...]]:
        arguments, positions = self._locate(architecture)
        positions, blocks = tuple(positions), arguments["blocks"]
        _refuse_squeeze(blocks)
        if len(positions) != len(blocks) or not set(positions) <= set(range(len(self.blocks))):
            raise WrongUse(f"{len(blocks)} blocks need as many positions below {len(self.blocks)}, got {positions}")
        for spec, position in zip(blocks, positions, strict=True):
            block = self.blocks[position]
            for part, wanted in (("expand", spec["mid"] > 0), ("depthwise", spec["kernel"] > 1)):
                if wanted and isinstance(getattr(block, part), nn.Identity):
                    raise WrongUse(
                        f"block {position} of the largest network has no {part} convolution, {spec} needs it"
                    )
        if bool(arguments["mix"]) == isinstance(self.mix, nn.Identity):
            raise WrongUse("the last 1x1 convolution (mix) is present in all sub-networks or in none")
        return arguments, positions


def _refuse_squeeze(blocks: Iterable[BlockSpec]) -> None:
    if any(spec["squeeze"] for spec in blocks):
        raise WrongUse("squeeze-excite shares no weights: train such a network alone")
