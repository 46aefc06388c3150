"""Swin transformers, described by plain numbers.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.
Source: Swin Transformer (arXiv 2103.14030), computed as in timm's swin_transformer.py (Apache-2.0); linear stitches
between blocks of different networks as in SN-Net (arXiv 2302.06586).
"""

from collections.abc import Sequence
from typing import ClassVar, NotRequired, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_DEVIATION = 0.02
# Added to the scores of two tokens that the shift has put into one window from different ends of the map.
APART = -100.0
Size = tuple[int, int]


class PatchSpec(TypedDict):
    """The convolution that makes the first tokens: `out` channels, `kernel` its side and stride."""

    out: int
    kernel: int


class BlockSpec(TypedDict):
    """One block: `heads` of `head_dim` channels, the hidden channels of its MLP, `window` (high, wide) in tokens.

    `shift` (down, right) of the windows against the map's corner. `merge`: behind a patch merging that leads to so many
    channels, which is part of the block; 0 is without.
    """

    heads: int
    head_dim: int
    mlp: int
    window: Sequence[int]
    shift: Sequence[int]
    merge: NotRequired[int]


class StitchSpec(TypedDict):
    """A linear layer with bias behind so many blocks; `out` channels of the tokens from there on."""

    after: int
    out: int


class PatchEmbedding(nn.Module):
    """A convolution whose kernels touch, and a layer norm."""

    def __init__(self, channels: int, spec: PatchSpec) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, spec["out"], spec["kernel"], spec["kernel"])
        self.norm = nn.LayerNorm(spec["out"])

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> (N, tokens, dim); pixels that fill no kernel are left out."""
        y: Tensor = self.norm(self.conv(x).flatten(2).transpose(1, 2))
        return y


class PatchMerging(nn.Module):
    """The channels of 2x2 tokens side by side, a layer norm, a linear layer; zeros stand beyond an odd side."""

    def __init__(self, dim: int, out: int, size: Size) -> None:
        super().__init__()
        self.size = size
        self.norm = nn.LayerNorm(4 * dim)
        self.reduce = nn.Linear(4 * dim, out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, tokens, dim) of a map of `size` -> (N, tokens of the halved map, out)."""
        grid = padded(x.reshape(x.shape[0], *self.size, -1), self.size, (2, 2))
        batch, height, width, dim = grid.shape
        # of the four, those of one column are neighbours: above, below, then the next column's
        four = grid.reshape(batch, height // 2, 2, width // 2, 2, dim).permute(0, 1, 3, 4, 2, 5)
        y: Tensor = self.reduce(self.norm(four.reshape(batch, -1, 4 * dim)))
        return y


class WindowAttention(nn.Module):
    """Self-attention inside windows, with a learned bias for each head and distance, (distances, heads)."""

    places: Tensor

    def __init__(self, dim: int, spec: BlockSpec) -> None:
        super().__init__()
        high, wide = spec["window"]
        self.heads, self.head_dim = spec["heads"], spec["head_dim"]
        self.qkv = nn.Linear(dim, 3 * self.heads * self.head_dim)
        self.project = nn.Linear(self.heads * self.head_dim, dim)
        self.biases = nn.Parameter(torch.empty((2 * high - 1) * (2 * wide - 1), self.heads))
        nn.init.trunc_normal_(self.biases, std=INITIAL_DEVIATION)
        self.register_buffer("places", distances(high, wide), persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(N x windows, tokens, dim) -> the same shape; `mask` (windows, tokens, tokens) is added to the scores."""
        windows, tokens, _ = x.shape
        q, k, v = self.qkv(x).reshape(windows, tokens, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        scores = (q * self.head_dim**-0.5) @ k.transpose(-2, -1)
        biases = self.biases[self.places].permute(2, 0, 1)
        if mask is None:
            scores = scores + biases
        else:
            of_pictures = scores.reshape(-1, len(mask), self.heads, tokens, tokens)
            scores = (of_pictures + (biases + mask[:, None])).reshape(windows, self.heads, tokens, tokens)
        y: Tensor = self.project((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
        return y


class SwinBlock(nn.Module):
    """Patch merging where the block begins a stage; attention in windows, then an MLP, each behind a norm and beside a
    residual.

    `size` (high, wide) of the map behind the merging, `before` that of the map in front of it.
    """

    mask: Tensor | None

    def __init__(self, dim: int, spec: BlockSpec, size: Size, before: Size) -> None:
        super().__init__()
        out = spec.get("merge", 0)
        self.size, self.window, self.shift = size, _pair(spec["window"]), _pair(spec["shift"])
        self.merging = PatchMerging(dim, out, before) if out else nn.Identity()
        dim = out or dim
        self.norm1 = nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, spec)
        self.norm2 = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, spec["mlp"])
        self.activation = nn.GELU()
        self.contract = nn.Linear(spec["mlp"], dim)
        self.register_buffer("mask", shift_mask(size, self.window, self.shift), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, dim) -> the same shape or, behind a merging, (N, fewer tokens, merge)."""
        x = self.merging(x)
        x = x + self._mixed(self.norm1(x))
        y: Tensor = self.contract(self.activation(self.expand(self.norm2(x))))
        return x + y

    def _mixed(self, x: Tensor) -> Tensor:
        """Attention (N, tokens, dim) in the shifted windows; zeros stand where a window reaches beyond the map."""
        (high, wide), (down, right), shifted = self.size, self.shift, any(self.shift)
        grid = x.reshape(x.shape[0], *self.size, -1)
        grid = padded(torch.roll(grid, (-down, -right), (1, 2)) if shifted else grid, self.size, self.window)
        batch, rows, columns, dim = grid.shape
        cut = (batch, rows // self.window[0], self.window[0], columns // self.window[1], self.window[1], dim)
        windows = grid.reshape(cut).transpose(2, 3).reshape(-1, self.window[0] * self.window[1], dim)
        mixed = self.attention(windows, self.mask)
        whole = mixed.reshape(batch, cut[1], cut[3], cut[2], cut[4], dim).transpose(2, 3).reshape(grid.shape)
        whole = whole[:, :high, :wide]
        whole = torch.roll(whole, (down, right), (1, 2)) if shifted else whole
        y: Tensor = whole.flatten(1, 2)
        return y


class SwinNetwork(nn.Module):
    """Patch embedding, blocks of attention in windows, a layer norm, the mean of all tokens, a linear classifier.

    Arguments: `input_size` [channels, height, width], which fixes the maps; `patch` and `blocks` in order; `classes`;
    `stitches` in order of the blocks. All are plain JSON values. Weights are drawn from a normal distribution of
    deviation 0.02, the convolution He-initialised. `ValueError` for stitches out of order, for a picture smaller than a
    patch and for a shift as large as its window.
    """

    begins: ClassVar[tuple[str, ...]] = ("embedding",)
    ends: ClassVar[tuple[str, ...]] = ("norm", "classifier")

    def __init__(
        self,
        input_size: Sequence[int],
        patch: PatchSpec,
        blocks: Sequence[BlockSpec],
        classes: int,
        stitches: Sequence[StitchSpec] = (),
    ) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.stitched = _places(stitches, len(blocks))
        size, dim = (self.input_size[1] // patch["kernel"], self.input_size[2] // patch["kernel"]), patch["out"]
        if not min(size):
            raise ValueError(f"a picture of {self.input_size[1:]} pixels has no patch of {patch['kernel']}")
        self.embedding = PatchEmbedding(self.input_size[0], patch)
        self.blocks, self.stitches = nn.ModuleList(), nn.ModuleList()
        self.widths: list[int] = []  # channels of what each block reads and, last, of what the last one makes
        for number, spec in enumerate(blocks, start=1):
            _check(number, spec)
            self.widths.append(dim)
            before, out = size, spec.get("merge", 0)
            size = halved(size) if out else size
            self.blocks.append(SwinBlock(dim, spec, size, before))
            dim = out or dim
            if number in self.stitched:
                out = stitches[len(self.stitches)]["out"]
                self.stitches.append(nn.Linear(dim, out))
                dim = out
        self.widths.append(dim)
        self.norm = nn.LayerNorm(dim)
        self.classifier = nn.Linear(dim, classes)
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
        """(N, channels, height, width) -> what the first block reads (N, tokens, dim)."""
        y: Tensor = self.embedding(x)
        return y

    @property
    def stack(self) -> nn.ModuleList:
        """What lies between what `begins` and what `ends`."""
        return self.blocks

    def run(self, x: Tensor, first: int, end: int) -> Tensor:
        """Through the blocks `first` to `end` - 1 (N, tokens, dim), without stitches between them."""
        for block in self.blocks[first:end]:
            x = block(x)
        return x

    def classify(self, x: Tensor) -> Tensor:
        """What the last block made (N, tokens, dim) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.norm(x).mean(dim=1))
        return logits


def halved(size: Size) -> Size:
    """The map (high, wide) behind a merging, both rounded up."""
    return -(-size[0] // 2), -(-size[1] // 2)


def padded(grid: Tensor, size: Size, by: Size) -> Tensor:
    """A map (N, high, wide, dim) of that size with zeros below and to the right, up to multiples of `by`."""
    down, right = -size[0] % by[0], -size[1] % by[1]
    return functional.pad(grid, (0, 0, 0, right, 0, down)) if down or right else grid


def distances(high: int, wide: int) -> Tensor:
    """The row of the bias table for each pair of a window's tokens, int64 (tokens, tokens): query first.

    >>> distances(1, 3).tolist()
    [[2, 1, 0], [3, 2, 1], [4, 3, 2]]
    """
    rows, columns = torch.arange(high).repeat_interleave(wide), torch.arange(wide).repeat(high)
    down = rows[:, None] - rows + high - 1
    return down * (2 * wide - 1) + columns[:, None] - columns + wide - 1


def shift_mask(size: Size, window: Size, shift: Size) -> Tensor | None:
    """What keeps apart tokens that a shift has put into one window: (windows, tokens, tokens); None without a shift.

    0 for two tokens from the same end of the map, else `APART`.
    """
    if not any(shift):
        return None
    rows, columns = (_ends(*each) for each in zip(size, window, shift, strict=True))
    ends = rows[:, None] * 3 + columns
    cut = ends.reshape(len(rows) // window[0], window[0], len(columns) // window[1], window[1])
    windows = cut.transpose(1, 2).reshape(-1, window[0] * window[1])
    return (windows[:, None] != windows[:, :, None]) * APART


def _ends(side: int, window: int, shift: int) -> Tensor:
    """For each place along a side, padded to whole windows: 0, in the last window 1, or 2 where the shift wrapped."""
    place = torch.arange(-(-side // window) * window)
    whole = len(place)
    return (place >= whole - window).long() + (place >= whole - shift).long() if shift else torch.zeros_like(place)


def _places(stitches: Sequence[StitchSpec], blocks: int) -> list[int]:
    after = [spec["after"] for spec in stitches]
    if after != sorted(set(after) & set(range(1, blocks + 1))):
        raise ValueError(f"stitches stand behind rising blocks from 1 to {blocks}; got {after}")
    return after


def _check(number: int, spec: BlockSpec) -> None:
    if any(not 0 <= shift < window for shift, window in zip(spec["shift"], spec["window"], strict=True)):
        raise ValueError(f"block {number}: windows of {spec['window']} cannot be shifted by {spec['shift']}")


def _pair(values: Sequence[int]) -> Size:
    return values[0], values[1]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=INITIAL_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
