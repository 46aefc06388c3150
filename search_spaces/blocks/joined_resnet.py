"""Several sub-networks of one residual network in one pass, each on its own part of the batch.

Source: multi-architectural sampling of ViT-ResNAS (arXiv 2109.00642), for transformers there. Convolutions run once on
the whole batch: where a part has fewer channels than the widest, zeros stand for them, and what comes out beyond its
own channels is cut off. Batch norms (statistics of the part alone) run part by part; blocks that one lacks pass it by.
"""

from typing import Any

from torch import Tensor

from search_spaces.blocks.elastic_blocks import JoinedBlocks
from search_spaces.blocks.elastic_convolutions import Parts, classified, conv_norm_parts, joined
from search_spaces.blocks.elastic_resnet import ElasticResnet
from search_spaces.blocks.resnet import BlockSpec


class JoinedResnet(JoinedBlocks, ElasticResnet):
    """An elastic network that also runs several sub-networks at once; see `SplittingSupernet`."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes); after `activate_many` each part its own member's."""
        if not self._members:
            return super().forward(x)
        parts = [self.pool(part) for part in self._stem_parts(list(x.tensor_split(len(self._members))))]
        for position, block in enumerate(self.blocks):
            parts = self._block_parts(block, parts, [specs.get(position) for specs in self._specs])
        pooled = joined([self.mean(part) for part in parts]).flatten(1)
        return classified(self.classifier, pooled, self._members[0]["classes"])

    def _stem_parts(self, parts: Parts) -> Parts:
        stems = [own["stem"] for own in self._members]
        firsts = [stem["mid"] or stem["out"] for stem in stems]
        parts = conv_norm_parts(self.stem.first, parts, firsts, stems[0]["kernel"], stems[0]["stride"])
        middles = [stem["mid"] if stem["middle"] != "none" else 0 for stem in stems]
        made = conv_norm_parts(self.stem.middle, parts, middles, 3)
        parts = [x + y if stem["middle"] == "residual" else y for x, y, stem in zip(parts, made, stems, strict=True)]
        return conv_norm_parts(self.stem.last, parts, [stem["out"] if stem["mid"] else 0 for stem in stems], 3)

    @staticmethod
    def _block_parts(block: Any, parts: Parts, specs: list[BlockSpec | None]) -> Parts:
        """A part whose member lacks the block passes it by."""
        mids, outs = ([spec[name] if spec else 0 for spec in specs] for name in ("mid", "out"))
        inner = conv_norm_parts(block.reduce, parts, mids)
        inner = conv_norm_parts(block.spatial, inner, mids, 3, block.spatial.conv.stride[0])
        inner = conv_norm_parts(block.expand, inner, outs)
        shortcuts = [
            out if spec and spec["shortcut"] != "identity" else 0 for out, spec in zip(outs, specs, strict=True)
        ]
        if any(shortcuts):
            project = block.shortcut.project
            pooled = [block.shortcut.pool(x) if out else x for x, out in zip(parts, shortcuts, strict=True)]
            beside = conv_norm_parts(project, pooled, shortcuts, stride=project.conv.stride[0])
        else:
            beside = parts
        return [block.activation(x + y) if spec else x for x, y, spec in zip(beside, inner, specs, strict=True)]
