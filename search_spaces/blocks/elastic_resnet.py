"""One residual network whose smaller networks are slices of its weights.

A sub-network uses the first channels of each layer, in each stage the first blocks, and the stem with or without its
middle convolution. Source: OFA-ResNet50 (Once-for-all, arXiv 1908.09791), without its sorting of channels by weight.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from search_spaces.blocks.elastic_blocks import ElasticBlocks
from search_spaces.blocks.elastic_convolutions import classified, conv_norm, cut_out
from search_spaces.blocks.resnet import BlockSpec, ResnetNetwork, Stem
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse


class ElasticResnet(ElasticBlocks, ResnetNetwork):
    """The largest network of a space; `activate` makes `forward` run any smaller one on slices of its weights.

    See `ElasticBlocks`; `largest` holds the arguments of `ResnetNetwork`.
    """

    def extract(self, architecture: Architecture) -> ResnetNetwork:
        """The plain network with copies of its slices; its batch-norm statistics are those of a fresh network.

        Draws no random number and changes nothing here. `WrongUse` where it does not fit into the largest.
        """
        arguments, positions = self._located(architecture)
        return cut_out(self, lambda: ResnetNetwork(**arguments), positions)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes) of the active sub-network."""
        active = self._arguments
        x = self.pool(self._stem(active["stem"], x))
        for spec, position in zip(active["blocks"], self._positions, strict=True):
            x = self._block(self.blocks[position], spec, x)
        return classified(self.classifier, self.mean(x).flatten(1), active["classes"])

    def _stem(self, spec: Stem, x: Tensor) -> Tensor:
        x = conv_norm(self.stem.first, x, spec["mid"] or spec["out"], spec["kernel"], spec["stride"])
        if spec["middle"] != "none":
            y = conv_norm(self.stem.middle, x, spec["mid"], 3)
            x = x + y if spec["middle"] == "residual" else y
        return conv_norm(self.stem.last, x, spec["out"], 3) if spec["mid"] else x

    @staticmethod
    def _block(block: Any, spec: BlockSpec, x: Tensor) -> Tensor:
        y = conv_norm(block.reduce, x, spec["mid"])
        y = conv_norm(block.spatial, y, spec["mid"], 3, spec["stride"])
        y = conv_norm(block.expand, y, spec["out"])
        if spec["shortcut"] != "identity":
            project = block.shortcut.project
            x = conv_norm(project, block.shortcut.pool(x), spec["out"], stride=project.conv.stride[0])
        summed: Tensor = block.activation(x + y)
        return summed

    def _check(self, arguments: Mapping[str, Any], positions: Sequence[int]) -> None:
        for spec, position in zip(arguments["blocks"], positions, strict=True):
            shortcut = self.blocks[position].shortcut
            if (spec["shortcut"] == "identity") != isinstance(shortcut, nn.Identity):
                raise WrongUse(f"block {position} of the largest network has another kind of shortcut than {spec}")
        stem = arguments["stem"]
        if bool(stem["mid"]) == isinstance(self.stem.last, nn.Identity) or (
            stem["middle"] != "none" and isinstance(self.stem.middle, nn.Identity)
        ):
            raise WrongUse(f"the largest network's stem has not the convolutions of {stem}")
