"""Several sub-networks of one residual network in one pass, each on its own part of the batch.

Source: multi-architectural sampling of ViT-ResNAS (arXiv 2109.00642), for transformers there. Convolutions run once on
the whole batch: where a part has fewer channels than the widest, zeros stand for them, and what comes out beyond its
own channels is cut off. Batch norms (statistics of the part alone) run part by part; blocks that one lacks pass it by.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from search_spaces.blocks.elastic_convolutions import Parts, classified, conv_norm_parts, joined
from search_spaces.blocks.elastic_resnet import ElasticResnet, Locate
from search_spaces.blocks.resnet import BlockSpec
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse


class JoinedResnet(ElasticResnet):
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

        `WrongUse` as in `activate`; also where they differ in picture size, classes or the stem's first kernel or
        stride, or one has its blocks in another order than the largest.
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


def _shared(arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    stem = arguments["stem"]
    return tuple(arguments["input_size"]), arguments["classes"], stem["kernel"], stem["stride"]
