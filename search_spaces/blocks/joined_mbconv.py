"""Several sub-networks of one MBConv network in one pass, each on its own part of the batch.

Source: multi-architectural sampling of ViT-ResNAS (arXiv 2109.00642), for transformers there; ours for MBConv. The stem
and the 1x1 convolutions, which do most of the work, run once on the whole batch: where a part has fewer channels than
the widest, zeros stand for them, and what comes out beyond its own channels is cut off. Depthwise convolutions (each
part with its own kernel) and batch norms (statistics of the part alone) run part by part.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from search_spaces.blocks.elastic_convolutions import Parts, classified, conv_norm, conv_norm_parts, joined
from search_spaces.blocks.elastic_mbconv import ElasticMbconv, Locate
from search_spaces.blocks.mbconv import BlockSpec
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse


class JoinedMbconv(ElasticMbconv):
    """An elastic network that also runs several sub-networks at once; see `SplittingSupernet`."""

    def __init__(self, largest: Mapping[str, Any], locate: Locate) -> None:
        super().__init__(largest, locate)
        self._members: list[Mapping[str, Any]] = []
        self._specs: list[dict[int, BlockSpec]] = []  # of each member, by the position of its blocks

    def activate(self, architecture: Architecture) -> None:
        """As before, for the whole batch."""
        super().activate(architecture)
        self._members = []

    def activate_many(self, architectures: Sequence[Architecture]) -> None:
        """From now on `forward` runs all of these, as `SplittingSupernet` says.

        `WrongUse` as in `activate`; also where they differ in picture size or in the stem's kernel or stride, or one
        has its blocks in another order than the largest.
        """
        located = [self._located(architecture) for architecture in architectures]
        first = located[0][0]
        for arguments, positions in located:
            if _shared(arguments) != _shared(first) or list(positions) != sorted(positions):
                raise WrongUse(
                    "sub-networks of one pass share picture size, classes, the stem's kernel and stride and the order "
                    f"of blocks; got {_shared(arguments)} beside {_shared(first)}, blocks {positions}"
                )
        self._members = [arguments for arguments, _ in located]
        self._specs = [dict(zip(positions, own["blocks"], strict=True)) for own, positions in located]

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes); after `activate_many` each part its own member's."""
        if not self._members:
            return super().forward(x)
        stem = self._members[0]["stem"]
        parts = list(x.tensor_split(len(self._members)))
        outputs = [own["stem"]["out"] for own in self._members]
        parts = conv_norm_parts(self.stem, parts, outputs, stem["kernel"], stem["stride"])
        for position, block in enumerate(self.blocks):
            parts = self._block_parts(block, parts, [specs.get(position) for specs in self._specs])
        parts = conv_norm_parts(self.mix, parts, [own["mix"] for own in self._members])
        pooled = joined([self.pool(part) for part in parts]).flatten(1)
        return classified(self.classifier, pooled, self._members[0]["classes"])

    def _block_parts(self, block: Any, parts: Parts, specs: list[BlockSpec | None]) -> Parts:
        """A part whose member lacks the block passes it by."""
        inner = conv_norm_parts(block.expand, parts, [spec["mid"] if spec else 0 for spec in specs])
        inner = [
            conv_norm(block.depthwise, y, y.shape[1], spec["kernel"], spec["stride"], groups=y.shape[1])
            if spec and spec["kernel"] > 1
            else y
            for y, spec in zip(inner, specs, strict=True)
        ]
        outer = conv_norm_parts(block.project, inner, [spec["out"] if spec else 0 for spec in specs])
        return [x + y if spec and spec["residual"] else y for x, y, spec in zip(parts, outer, specs, strict=True)]


def _shared(arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    stem = arguments["stem"]
    return tuple(arguments["input_size"]), arguments["classes"], stem["kernel"], stem["stride"]
