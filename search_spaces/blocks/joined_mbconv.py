"""Several sub-networks of one MBConv network in one pass, each on its own part of the batch.

Source: multi-architectural sampling of ViT-ResNAS (arXiv 2109.00642), for transformers there; ours for MBConv. The stem
and the 1x1 convolutions, which do most of the work, run once on the whole batch: where a part has fewer channels than
the widest, zeros stand for them, and what comes out beyond its own channels is cut off. Depthwise convolutions (each
part with its own kernel) and batch norms (statistics of the part alone) run part by part.
"""

from typing import Any

from torch import Tensor

from search_spaces.blocks.elastic_blocks import JoinedBlocks
from search_spaces.blocks.elastic_convolutions import Parts, classified, conv_norm, conv_norm_parts, joined
from search_spaces.blocks.elastic_mbconv import ElasticMbconv
from search_spaces.blocks.mbconv import BlockSpec


class JoinedMbconv(JoinedBlocks, ElasticMbconv):
    """An elastic network that also runs several sub-networks at once; see `SplittingSupernet`."""

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
