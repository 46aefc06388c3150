"""Several trained networks and the stitch layers between them: one network that runs any route through them.

This file stands alone: it imports torch and nothing else, so that an exported network can carry a copy of it.

Sources: SN-Net (arXiv 2302.06586) for stitch layers by least squares that routes share; SN-Netv2 (arXiv 2307.00154) for
routes both ways and for stitch layers that stay as fitted beside a low-rank update (LoRA, arXiv 2106.09685).
"""

from collections.abc import Callable, Mapping, Sequence
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
        if x.ndim == _MAP:
            of_places: Tensor = self(x.flatten(2).mT)
            return of_places.mT.reshape(len(x), len(self.bias), *x.shape[2:])
        y = functional.linear(x, self.weight, self.bias)
        if self.down is None or self.up is None:
            return y
        return y + functional.linear(functional.linear(x, self.down), self.up) / self.rank

    @torch.no_grad()
    def merged(self) -> Tensor:
        """The weight (out, dim) of the plain linear layer that computes the same; its bias is `bias`."""
        if self.down is None or self.up is None:
            return self.weight
        return self.weight + self.up @ self.down / self.rank


class StitchedNetwork(nn.Module):
    """Runs one of `routes` through `anchors`, at first route 0. Switching costs nothing: no weights move.

    `build` makes an anchor of its arguments: a network with `embed`, `run` of some of its blocks and `classify`, and
    with the `width` of what a block reads. The anchors are of one family, so that each can go on where another stopped.
    `rank` is that of `Stitch`.
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
                ends[number] = anchors[here[0]].width(here[2]), anchors[after[0]].width(after[1])
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
