"""One MBConv network whose smaller networks are slices of its weights.

A sub-network uses the first channels of each layer, the centre of each depthwise kernel and, in each stage, the first
blocks. Sources: Once-for-all (arXiv 1908.09791) for the slices; MCUNet (arXiv 2007.10319, appendix E) for kernels
shared by their centre alone, without learned transforms.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from search_spaces.blocks.elastic_blocks import ElasticBlocks, Locate
from search_spaces.blocks.elastic_convolutions import classified, conv_norm, cut_out
from search_spaces.blocks.mbconv import BlockSpec, MbconvNetwork
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse


class ElasticMbconv(ElasticBlocks, MbconvNetwork):
    """The largest network of a space; `activate` makes `forward` run any smaller one on slices of its weights.

    See `ElasticBlocks`; `largest` holds the arguments of `MbconvNetwork`. Squeeze-excite is not elastic: `WrongUse`.
    """

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        _refuse_squeeze(largest["blocks"])
        super().__init__(largest, locate)

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

    def _check(self, arguments: Mapping[str, Any], positions: Sequence[int]) -> None:
        _refuse_squeeze(arguments["blocks"])
        for spec, position in zip(arguments["blocks"], positions, strict=True):
            block = self.blocks[position]
            for part, wanted in (("expand", spec["mid"] > 0), ("depthwise", spec["kernel"] > 1)):
                if wanted and isinstance(getattr(block, part), nn.Identity):
                    raise WrongUse(
                        f"block {position} of the largest network has no {part} convolution, {spec} needs it"
                    )
        if bool(arguments["mix"]) == isinstance(self.mix, nn.Identity):
            raise WrongUse("the last 1x1 convolution (mix) is present in all sub-networks or in none")


def _refuse_squeeze(blocks: Iterable[BlockSpec]) -> None:
    if any(spec["squeeze"] for spec in blocks):
        raise WrongUse("squeeze-excite shares no weights: train such a network alone")
