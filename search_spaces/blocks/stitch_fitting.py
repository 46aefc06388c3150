"""Stitch layers by least squares: from what one trained network makes to what the next one reads."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from search_spaces.blocks.stitched_network import StitchedNetwork

_MAP = 4  # dimensions
Members = dict[int, set[tuple[int, int, int, int]]]


@torch.no_grad()
def fit_stitches(network: StitchedNetwork, images: Tensor) -> None:
    """Sets every stitch layer so that it maps features of `images` (n, channels, height, width) as well as can be.

    Source: SN-Net, arXiv 2302.06586: the pseudo-inverse of the features behind the block that is left, with a column of
    ones, times what the block that is entered reads in its own network; a layer that several stitches share takes the
    mean of their solutions. `ValueError` without an image.
    """
    if not len(images):
        raise ValueError("stitch layers are fitted on pictures, and there is none")
    features = [_features(anchor, images) for anchor in network.anchors]
    inverses: dict[tuple[int, int], Tensor] = {}
    for number, members in _members(network).items():
        solutions = []
        for front, left, back, entered in sorted(members):
            known = _with_ones(features[front][left + 1])
            if (front, left) not in inverses:
                inverses[front, left] = torch.linalg.pinv(known.T @ known, hermitian=True)
            solutions.append(inverses[front, left] @ (known.T @ features[back][entered].double()))
        mean = torch.stack(solutions).mean(dim=0)
        stitch: Any = network.stitches[str(number)]
        stitch.weight.copy_(mean[:-1].T)
        stitch.bias.copy_(mean[-1])


def _members(network: StitchedNetwork) -> Members:
    """(anchor left, its last block, anchor entered, its first block) of every stitch, by stitch layer."""
    found: Members = {}
    for route in network.routes:
        parts: Iterable[Any] = zip(route["stitches"], route["parts"], route["parts"][1:], strict=False)
        for number, (front, _, end), (back, first, _) in parts:
            found.setdefault(number, set()).add((front, end - 1, back, first))
    return found


def _features(anchor: Any, images: Tensor) -> list[Tensor]:
    """What each block reads and, last, what the last one makes: (images x tokens or places, dim) each."""
    mode = anchor.training
    anchor.eval()
    x = anchor.embed(images)
    found = [_rows(x)]
    for number in range(len(anchor.stack)):
        x = anchor.run(x, number, number + 1)
        found.append(_rows(x))
    anchor.train(mode)
    return found


def _rows(x: Tensor) -> Tensor:
    """Tokens (n, tokens, dim) or a map (n, dim, H, W) as rows of channels."""
    return x.flatten(0, 1) if x.ndim < _MAP else x.permute(0, 2, 3, 1).flatten(0, 2)


def _with_ones(x: Tensor) -> Tensor:
    return torch.cat([x.double(), x.new_ones(len(x), 1, dtype=torch.float64)], dim=1)
