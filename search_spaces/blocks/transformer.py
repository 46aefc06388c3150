"""Vision transformers and compact convolutional transformers, described by plain numbers.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.
Sources: ViT (arXiv 2010.11929), DeiT (arXiv 2012.12877) and AutoFormer (arXiv 2107.00651) for the encoder; CCT (arXiv
2104.05704) for convolutions as tokenizer, sequence pooling and the sine embedding; relative positions as in AutoFormer,
after Shaw et al. (arXiv 1803.02155); fewer tokens behind some layers as in ViT-ResNAS (arXiv 2109.00642); linear
stitches between layers of different networks as in SN-Net (arXiv 2302.06586).
"""

import math
from collections.abc import Sequence
from typing import ClassVar, NotRequired, TypedDict

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

INITIAL_DEVIATION = 0.02
POOLS = ("class", "patches", "mean", "sequence")
WITH_CLASS_TOKEN = ("class", "patches")


class TokenizerConv(TypedDict):
    """A convolution of the tokenizer; `pool`: then ReLU and a 3x3 maximum of stride 2."""

    out: int
    kernel: int
    stride: int
    padding: int
    bias: bool
    pool: bool


class LayerSpec(TypedDict):
    """One encoder layer: `heads` of `head_dim` channels, and the hidden channels of its MLP."""

    heads: int
    head_dim: int
    mlp: int
    qkv_bias: NotRequired[bool]


class ReductionSpec(TypedDict):
    """Where the map of tokens is halved: behind so many layers; `out` channels of the tokens from there on."""

    after: int
    out: int


class StitchSpec(TypedDict):
    """A linear layer with bias behind so many layers; `out` channels of the tokens from there on."""

    after: int
    out: int


class RelativeTables(nn.Module):
    """A learned vector for each vertical and each horizontal distance of two tokens: their sum belongs to the pair.

    `tables` is (2, 2 x reach + 2, head_dim): row 0 for pairs with the class token, then distances -reach to reach; what
    is farther counts as reach. Shared by the heads. A query is multiplied once by every row, and pairs look their
    products up: the same as a vector for every pair, at 2 x (2 x reach + 2) products a query instead of one a token.
    """

    def __init__(self, head_dim: int, reach: int) -> None:
        super().__init__()
        self.tables = nn.Parameter(torch.empty(2, 2 * reach + 2, head_dim))
        nn.init.trunc_normal_(self.tables, std=INITIAL_DEVIATION)

    def scores(self, query: Tensor, places: Tensor) -> Tensor:
        """Products of queries (N, heads, tokens, head_dim) with their pairs' vectors: (N, heads, tokens, tokens)."""
        batch, heads, tokens, head_dim = query.shape
        each = (query.reshape(-1, head_dim) @ self.tables.flatten(0, 1).t()).reshape(batch, heads, tokens, -1)
        return each.gather(-1, places.expand(batch, heads, -1, -1)).reshape(batch, heads, tokens, 2, -1).sum(-2)

    def mixed(self, weights: Tensor, places: Tensor) -> Tensor:
        """The pairs' vectors, weighted by attention (N, heads, tokens, tokens): (N, tokens, heads x head_dim)."""
        rows = self.tables.flatten(0, 1)
        batch, heads, tokens, _ = weights.shape
        sums = weights.new_zeros(batch, heads, tokens, rows.shape[0])
        sums = sums.scatter_add(-1, places.expand(batch, heads, -1, -1), weights.repeat(1, 1, 1, 2))
        return (sums.flatten(0, 2) @ rows).reshape(batch, heads, tokens, -1).transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Multi-head self-attention; the heads together may be narrower or wider than the tokens.

    `reach`: the largest distance of relative positions, added to keys and to values; 0 is without.
    """

    def __init__(self, dim: int, heads: int, head_dim: int, qkv_bias: bool = True, reach: int = 0) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, head_dim
        self.qkv = nn.Linear(dim, 3 * heads * head_dim, bias=qkv_bias)
        self.relative_keys = RelativeTables(head_dim, reach) if reach else None
        self.relative_values = RelativeTables(head_dim, reach) if reach else None
        self.project = nn.Linear(heads * head_dim, dim)

    def forward(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        """(N, tokens, dim) -> the same shape; `places` as `relative_places` gives them, where there are any."""
        y: Tensor = self.project(self.mix(self.qkv(x), self.heads, places))
        return y

    def mix(self, qkv: Tensor, heads: int, places: Tensor | None = None) -> Tensor:
        """Query, key and value of so many heads (N, tokens, 3 x heads x head_dim) -> (N, tokens, heads x head_dim)."""
        batch, tokens, _ = qkv.shape
        q, k, v = qkv.reshape(batch, tokens, 3, heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        q = q * self.head_dim**-0.5
        if self.relative_keys is None or self.relative_values is None or places is None:
            mixed: Tensor = ((q @ k.transpose(-2, -1)).softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
            return mixed
        weights: Tensor = (q @ k.transpose(-2, -1) + self.relative_keys.scores(q, places)).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        return mixed + self.relative_values.mixed(weights, places)


class EncoderLayer(nn.Module):
    """Attention, then an MLP, each behind a layer norm and beside a residual.

    `residual_of_norm`: the second residual carries the normalised tokens, as in CCT's code. `reach` as in `Attention`.
    """

    def __init__(
        self, dim: int, spec: LayerSpec, residual_of_norm: bool = False, reach: int = 0, epsilon: float = 1e-6
    ) -> None:
        super().__init__()
        self.residual_of_norm = residual_of_norm
        self.norm1 = nn.LayerNorm(dim, eps=epsilon)
        self.attention = Attention(dim, spec["heads"], spec["head_dim"], spec.get("qkv_bias", True), reach)
        self.norm2 = nn.LayerNorm(dim, eps=epsilon)
        self.expand = nn.Linear(dim, spec["mlp"])
        self.activation = nn.GELU()
        self.contract = nn.Linear(spec["mlp"], dim)

    def forward(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        """(N, tokens, dim) -> the same shape."""
        x = x + self.attention(self.norm1(x), places)
        normalised = self.norm2(x)
        y: Tensor = self.contract(self.activation(self.expand(normalised)))
        return (normalised if self.residual_of_norm else x) + y


class Reduction(nn.Module):
    """Residual spatial reduction: half the map's height and width, both rounded up, and a position of each new token.

    A layer norm and a 3x3 convolution of stride 2 beside the mean of 2x2 tokens; of an odd side the last mean is over
    what is there. A class token goes through a linear layer beside itself. Where `out` is more than `dim` what stands
    beside is padded with zeros.
    """

    def __init__(self, dim: int, out: int, size: tuple[int, int], class_token: bool, epsilon: float = 1e-6) -> None:
        super().__init__()
        height, width = halved(size)
        self.norm = nn.LayerNorm(dim, eps=epsilon)
        self.conv = nn.Conv2d(dim, out, 3, 2, 1)
        self.position = nn.Parameter(torch.empty(1, height * width, out))
        nn.init.normal_(self.position, 0.0, INITIAL_DEVIATION)
        self.class_linear = nn.Linear(dim, out) if class_token else None

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Tokens (N, tokens, dim) of a map of `size` (high, wide) -> (N, fewer tokens, out)."""
        normalised = self.norm(x)
        made = as_tokens(self.conv(as_map(normalised, size))) + self.position
        of_class = None if self.class_linear is None else self.class_linear(normalised[:, :1])
        return beside_means(x, size, made, of_class, self.conv.out_channels - self.conv.in_channels)


class SequencePool(nn.Module):
    """The mean of all tokens, weighted by a softmax over a linear score of each."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, dim) -> (N, dim)."""
        weights = self.score(x).softmax(dim=1).transpose(1, 2)
        pooled: Tensor = (weights @ x).squeeze(1)
        return pooled


class TransformerNetwork(nn.Module):
    """Convolutions make tokens, encoder layers mix them, one vector of them is classified.

    Arguments: `input_size` [channels, height, width], which fixes the number of tokens; `tokenizer` convolutions in
    order, the last of which makes the tokens' channels; `layers` in order; `position` learned, sine or none; `pool`
    class (a token of its own), patches (that token is there, the mean of all others is classified), mean or sequence;
    `classes`; `reach` the largest distance of relative positions, 0 without them; `epsilon` of the layer norms;
    `reductions` of the tokens and `stitches` in order of the layers, a stitch first where both stand behind one. All
    are plain JSON values. Weights are drawn from a normal distribution of deviation 0.02, convolutions He-initialised.
    `ValueError` for an unknown position or pool, for reductions or stitches out of order, and for a reduction of a
    single token.
    """

    begins: ClassVar[tuple[str, ...]] = ("tokenizer", "class_token", "position", "sine")
    ends: ClassVar[tuple[str, ...]] = ("norm", "pool", "classifier")
    sine: Tensor | None

    def __init__(
        self,
        input_size: Sequence[int],
        tokenizer: Sequence[TokenizerConv],
        layers: Sequence[LayerSpec],
        classes: int,
        position: str = "learned",
        pool: str = "class",
        residual_of_norm: bool = False,
        reach: int = 0,
        epsilon: float = 1e-6,
        reductions: Sequence[ReductionSpec] = (),
        stitches: Sequence[StitchSpec] = (),
    ) -> None:
        super().__init__()
        if position not in ("learned", "sine", "none") or pool not in POOLS:
            raise ValueError(f"position is learned, sine or none, pool {', '.join(POOLS)}; got {position}, {pool}")
        self.input_size, self.reach = tuple(input_size), reach
        self.tokenizer = _tokenizer(self.input_size[0], tokenizer)
        dim = tokenizer[-1]["out"]
        self.sizes = [map_size(self.input_size[1:], tokenizer)]
        tokens = self.sizes[0][0] * self.sizes[0][1] + (pool in WITH_CLASS_TOKEN)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if pool in WITH_CLASS_TOKEN else None
        self.position = nn.Parameter(torch.zeros(1, tokens, dim)) if position == "learned" else None
        self.register_buffer("sine", sine_embedding(tokens, dim) if position == "sine" else None, persistent=False)
        self.after = check_places("reductions", reductions, len(layers))
        self.stitched = check_places("stitches", stitches, len(layers))
        self.layers, self.reductions, self.stitches = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.widths: list[int] = []  # channels of what each layer reads and, last, of what the last one makes
        for number, spec in enumerate(layers, start=1):
            self.widths.append(dim)
            self.layers.append(EncoderLayer(dim, spec, residual_of_norm, reach, epsilon))
            if number in self.stitched:
                out = stitches[len(self.stitches)]["out"]
                self.stitches.append(nn.Linear(dim, out))
                dim = out
            if number in self.after:
                dim = self._add_reduction(dim, reductions[len(self.reductions)]["out"], epsilon)
        self.widths.append(dim)
        self.norm = nn.LayerNorm(dim, eps=epsilon)
        self.pool = SequencePool(dim) if pool == "sequence" else None
        self.of_patches = pool == "patches"
        self.classifier = nn.Linear(dim, classes)
        self.apply(_initialise)
        for parameter in (self.class_token, self.position):
            if parameter is not None:
                nn.init.normal_(parameter, 0.0, INITIAL_DEVIATION)

    def _add_reduction(self, dim: int, out: int, epsilon: float) -> int:
        self.reductions.append(Reduction(dim, out, self.sizes[-1], self.class_token is not None, epsilon))
        self.sizes.append(halved(self.sizes[-1]))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes)."""
        x = self.embed(x)
        stage, places = 0, self.places(0, x.device)
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x, places)
            if number in self.stitched:
                x = self.stitches[self.stitched.index(number)](x)
            if number in self.after:
                x = self.reductions[stage](x, self.sizes[stage])
                stage += 1
                places = self.places(stage, x.device)
        return self.classify(x)

    def embed(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> what the first layer reads (N, tokens, dim)."""
        x = as_tokens(self.tokenizer(x))
        if self.class_token is not None:  # expanded by x.shape[0]: len(x) would freeze the batch of an exported network
            x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        place = self.sine if self.position is None else self.position
        return x if place is None else x + place

    @property
    def stack(self) -> nn.ModuleList:
        """What lies between what `begins` and what `ends`."""
        return self.layers

    def run(self, x: Tensor, first: int, end: int) -> Tensor:
        """Through the layers `first` to `end` - 1 (N, tokens, dim), without reductions and stitches between them."""
        places = self.places(0, x.device)
        for layer in self.layers[first:end]:
            x = layer(x, places)
        return x

    def classify(self, x: Tensor) -> Tensor:
        """What the last layer made (N, tokens, dim) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self._pooled(self.norm(x)))
        return logits

    def places(self, stage: int, device: torch.device) -> Tensor | None:
        """Where the tokens' pairs find their relative positions, behind so many reductions; None without any."""
        if not self.reach:
            return None
        return relative_places(self.sizes[stage], self.reach, self.class_token is not None, device)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.of_patches:
            return x[:, 1:].mean(dim=1)
        if self.class_token is not None:
            return x[:, 0]
        pooled: Tensor = x.mean(dim=1) if self.pool is None else self.pool(x)
        return pooled


def side_after(side: int, tokenizer: Sequence[TokenizerConv]) -> int:
    """Tokens along a side of so many pixels."""
    for conv in tokenizer:
        side = (side + 2 * conv["padding"] - conv["kernel"]) // conv["stride"] + 1
        side = (side - 1) // 2 + 1 if conv["pool"] else side
    return side


def map_size(size: Sequence[int], tokenizer: Sequence[TokenizerConv]) -> tuple[int, int]:
    """Tokens (high, wide) of a picture of `size` (height, width), without a class token."""
    return side_after(size[0], tokenizer), side_after(size[1], tokenizer)


def halved(size: tuple[int, int]) -> tuple[int, int]:
    """The map (high, wide) behind a reduction; `ValueError` for one token, which stays one."""
    if max(size) < 2:
        raise ValueError("a map of one token cannot be reduced")
    return -(-size[0] // 2), -(-size[1] // 2)


def check_places(what: str, specs: Sequence[ReductionSpec] | Sequence[StitchSpec], layers: int) -> list[int]:
    """Behind which layers they stand; `ValueError` where these do not rise or lie outside of 1 to `layers`."""
    after = [spec["after"] for spec in specs]
    if after != sorted(set(after) & set(range(1, layers + 1))):
        raise ValueError(f"{what} stand behind rising layers from 1 to {layers}; got {after}")
    return after


def as_map(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Tokens (N, tokens, dim), a class token first or not, -> (N, dim, high, wide) without it."""
    return x[:, x.shape[1] - size[0] * size[1] :].transpose(1, 2).reshape(x.shape[0], -1, *size)


def as_tokens(x: Tensor) -> Tensor:
    """A map (N, dim, high, wide) -> (N, tokens, dim)."""
    return x.flatten(2).transpose(1, 2)


def beside_means(x: Tensor, size: tuple[int, int], made: Tensor, of_class: Tensor | None, more: int) -> Tensor:
    """What a reduction made of tokens `x`, plus what stands beside each; it has so many `more` channels than `x`."""
    means = functional.avg_pool2d(as_map(x, size), 2, 2, ceil_mode=True, count_include_pad=False)
    made = made + _padded(as_tokens(means), more)
    if of_class is None:
        return made
    return torch.cat([of_class + _padded(x[:, :1], more), made], dim=1)


def _padded(x: Tensor, more: int) -> Tensor:
    return functional.pad(x, (0, more)) if more else x


@fx.wrap  # one operator for who traces symbolically: what it makes depends on the device alone
def relative_places(size: tuple[int, int], reach: int, class_token: bool, device: torch.device) -> Tensor:
    """For tokens of a map (high, wide) their pairs' rows in `RelativeTables`, int64 (tokens, 2 x tokens).

    Row of the query, then for every key the vertical distance's row, and for every key the horizontal one's.
    """
    rows = torch.arange(size[0], device=device).repeat_interleave(size[1])
    columns = torch.arange(size[1], device=device).repeat(size[0])
    at = torch.stack([rows, columns])
    places = (at[:, None, :] - at[:, :, None]).clamp(-reach, reach) + reach + 1
    if class_token:
        places = functional.pad(places, (1, 0, 1, 0))
    second_table = torch.tensor([0, 2 * reach + 2], device=device)[:, None, None]
    return (places + second_table).transpose(0, 1).flatten(1)


def sine_embedding(tokens: int, dim: int) -> Tensor:
    """(1, tokens, dim): sines in even channels, cosines in odd ones (Vaswani et al., arXiv 1706.03762, section 3.5)."""
    place = torch.arange(tokens, dtype=torch.float32)[:, None]
    pairs = torch.arange(0, dim, 2, dtype=torch.float32)
    angle = place * torch.exp(pairs * (-math.log(10_000.0) / dim))
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[None, :, :dim]


def _tokenizer(channels: int, convs: Sequence[TokenizerConv]) -> nn.Sequential:
    steps: list[nn.Module] = []
    for conv in convs:
        shape = (conv["kernel"], conv["stride"], conv["padding"])
        steps.append(nn.Conv2d(channels, conv["out"], *shape, bias=conv["bias"]))
        steps += [nn.ReLU(), nn.MaxPool2d(3, 2, 1)] if conv["pool"] else []
        channels = conv["out"]
    return nn.Sequential(*steps)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=INITIAL_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
