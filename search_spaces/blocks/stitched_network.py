"""Several trained networks and the stitch layers between them: one network that runs any route through them.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.

Sources: SN-Net (arXiv 2302.06586) for stitch layers by least squares that routes share; SN-Netv2 (arXiv 2307.00154) for
routes both ways and for stitch layers that stay as fitted beside a low-rank update (LoRA, arXiv 2106.09685).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

_INITIAL_DEVIATION = 0.02
_MAP = 4  # dimensions


class RouteSpec(TypedDict):
    """`parts`: anchor, first block, and the block behind the last; `stitches`: number of the stitch layer between two.

    `macs` multiply-accumulates of the route, `score` what prefers one route to another of equal or fewer MACs.
    """

    name: str
    parts: list[tuple[int, int, int]]
    stitches: list[int]
    macs: int
    score: float


class Stitch(nn.Module):
    """A linear layer with bias from `dim` to `out` channels, of tokens or of a map's places.

    With a `rank` it stays as it is, and a low-rank update is learnt, which starts at zero and is scaled by 1 / rank.
    """

    def __init__(self, dim: int, out: int, rank: int = 0) -> None:
        super().__init__()
        self.rank = rank
        self.weight = nn.Parameter(torch.empty(out, dim), requires_grad=not rank)
        self.bias = nn.Parameter(torch.zeros(out), requires_grad=not rank)
        nn.init.trunc_normal_(self.weight, std=_INITIAL_DEVIATION)
        self.down = nn.Parameter(torch.empty(rank, dim)) if rank else None
        self.up = nn.Parameter(torch.zeros(out, rank)) if rank else None
        if self.down is not None:
            nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, tokens, dim) -> (N, tokens, out), or (N, dim, H, W) -> (N, out, H, W)."""
        y = _linear(x, self.weight, self.bias)
        if self.down is None or self.up is None:
            return y
        return y + _linear(_linear(x, self.down), self.up) / self.rank

    @torch.no_grad()
    def merged(self) -> Tensor:
        """The weight (out, dim) of the plain linear layer that computes the same; its bias is `bias`."""
        if self.down is None or self.up is None:
            return self.weight
        return self.weight + self.up @ self.down / self.rank


class StitchedNetwork(nn.Module):
    """Runs one of `routes` through `anchors`, at first route 0. Switching costs nothing: no weights move.

    `build` makes an anchor of its arguments: a network with `embed`, `run` of some of its blocks and `classify`, and
    with the `widths` of what its blocks read. The anchors are of one family, so that each can go on where another
    stopped. `rank` is that of `Stitch`.
    """

    def __init__(
        self,
        build: Callable[..., nn.Module],
        anchors: Sequence[Mapping[str, Any]],
        routes: Sequence[RouteSpec],
        rank: int = 0,
    ) -> None:
        super().__init__()
        self.routes = list(routes)
        self.anchors = nn.ModuleList(build(**anchor) for anchor in anchors)
        self.stitches = nn.ModuleDict({number: Stitch(*ends, rank) for number, ends in self._ends().items()})
        self.active = 0

    def _ends(self) -> dict[str, tuple[int, int]]:
        """Channels in front of and behind each stitch layer, by number."""
        anchors: Any = self.anchors
        ends: dict[int, tuple[int, int]] = {}
        for route in self.routes:
            for number, here, after in zip(route["stitches"], route["parts"], route["parts"][1:], strict=False):
                ends[number] = anchors[here[0]].widths[here[2]], anchors[after[0]].widths[after[1]]
        return {str(number): ends[number] for number in sorted(ends)}

    def set_route(self, number: int) -> RouteSpec:
        """From now on `forward` runs this route; `IndexError` where there is none of that number."""
        route = self.routes[number]
        self.active = number
        return route

    def set_budget(self, macs: float) -> RouteSpec:
        """From now on `forward` runs the best route of at most so many multiply-accumulates; returns it.

        Best is the highest score, of equal ones the cheapest. `ValueError` below the cheapest route.
        """
        fitting = [number for number, route in enumerate(self.routes) if route["macs"] <= macs]
        if not fitting:
            least = min(route["macs"] for route in self.routes)
            raise ValueError(f"no route has at most {macs:,.0f} multiply-accumulates; the cheapest has {least:,}")
        best = max(fitting, key=lambda number: (self.routes[number]["score"], -self.routes[number]["macs"]))
        return self.set_route(best)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, height, width) -> logits (N, classes) of the active route."""
        parts, stitches = self.routes[self.active]["parts"], self.routes[self.active]["stitches"]
        anchors: Any = self.anchors
        x = anchors[parts[0][0]].embed(x)
        for index, (anchor, first, end) in enumerate(parts):
            if index:
                x = self.stitches[str(stitches[index - 1])](x)
            x = anchors[anchor].run(x, first, end)
        logits: Tensor = anchors[parts[-1][0]].classify(x)
        return logits

    def pieces_of(self, route: RouteSpec) -> list[Any]:
        """What a route runs, in the order of the `pieces` of its plain network."""
        parts, anchors = route["parts"], list[Any](self.anchors)
        blocks = [block for anchor, first, end in parts for block in anchors[anchor].stack[first:end]]
        return pieces(anchors[parts[0][0]], blocks, anchors[parts[-1][0]])


class ElasticNetwork(StitchedNetwork):
    """A stitched network at work: every route has batch-norm statistics of its own, where there are such norms.

    A block behind a stitch sees other features than in its own network. The statistics of a route are one buffer, of
    which a switch hands the norms their parts: it copies nothing.
    """

    def __init__(
        self, build: Callable[..., nn.Module], anchors: Sequence[Mapping[str, Any]], routes: Sequence[RouteSpec]
    ) -> None:
        super().__init__(build, anchors, routes)
        for norm in _batch_norms([self]):
            for name in ("running_mean", "running_var"):
                norm.register_buffer(name, None, persistent=False)
        self._norms = [_batch_norms(self.pieces_of(route)) for route in self.routes]
        for number, norms in enumerate(self._norms):
            if norms:
                ones = torch.ones(sum(norm.num_features for norm in norms))
                self.register_buffer(_statistics_of(number), torch.stack([torch.zeros_like(ones), ones]))
        self.register_load_state_dict_post_hook(_hand_over)  # type: ignore[no-untyped-call]
        self.set_route(0)

    def set_route(self, number: int) -> RouteSpec:
        """From now on `forward` runs this route; `IndexError` where there is none of that number."""
        route, norms = super().set_route(number), self._norms[number]
        if norms:
            sizes = [norm.num_features for norm in norms]
            means, variances = (row.split(sizes) for row in self.get_buffer(_statistics_of(number)))
            for norm, mean, variance in zip(norms, means, variances, strict=True):
                norm._buffers.update(
                    running_mean=mean, running_var=variance
                )  # as assignments do, in a sixth of their time
        return route

    @torch.no_grad()
    def keep_statistics(self, number: int, plain: Any) -> None:
        """Copies the batch-norm statistics of a route's plain network."""
        norms = _batch_norms(pieces(plain, plain.stack, plain))
        if norms:
            kept = [torch.cat([getattr(norm, name) for norm in norms]) for name in ("running_mean", "running_var")]
            self.get_buffer(_statistics_of(number)).copy_(torch.stack(kept))


def pieces(begun: Any, blocks: Iterable[nn.Module], ended: Any) -> list[Any]:
    """The beginning of one network, blocks, the end of another: modules, tensors, None for what a network lacks."""
    return [*(getattr(begun, name) for name in begun.begins), *blocks, *(getattr(ended, name) for name in ended.ends)]


def _batch_norms(of: Iterable[Any]) -> list[Any]:
    modules = (module for piece in of if isinstance(piece, nn.Module) for module in piece.modules())
    return [module for module in modules if isinstance(module, nn.BatchNorm2d)]


def _statistics_of(number: int) -> str:
    return f"statistics_{number}"


def _hand_over(network: Any, _: Any) -> None:
    """After loading weights: the norms get what was loaded."""
    network.set_route(network.active)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Of tokens, or of a map as the 1x1 convolution that stands there in the plain network."""
    if x.ndim == _MAP:
        return functional.conv2d(x, weight[:, :, None, None], bias)
    return functional.linear(x, weight, bias)
