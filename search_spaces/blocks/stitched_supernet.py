"""A stitched network whose sub-networks are its routes: what a search and its training hold."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.blocks.stitch_fitting import fit_stitches
from search_spaces.blocks.stitched_network import RouteSpec, StitchedNetwork, pieces
from search_spaces.core.architecture import Architecture
from search_spaces.core.errors import WrongUse

_HEAD = "classifier."


class StitchedSupernet(StitchedNetwork):
    """`build` makes an anchor, or the plain network of a route, of its arguments.

    `number_of` gives the route of an architecture, `arguments_of` those of its plain network. `anchor_rate`: the
    learning rate of the anchors' weights beside that of the stitch layers.
    """

    def __init__(
        self,
        build: Callable[..., nn.Module],
        anchors: Sequence[Mapping[str, Any]],
        routes: Sequence[RouteSpec],
        rank: int,
        anchor_rate: float,
        number_of: Callable[[Architecture], int],
        arguments_of: Callable[[Architecture], Mapping[str, Any]],
    ) -> None:
        super().__init__(build, anchors, routes, rank)
        self.rate_factors = {"anchors.": anchor_rate}
        self._build, self._number_of, self._arguments_of = build, number_of, arguments_of

    def activate(self, architecture: Architecture) -> None:
        """From now on `forward` runs this route."""
        self.set_route(self._number_of(architecture))

    @torch.no_grad()
    def extract(self, architecture: Architecture) -> nn.Module:
        """The plain network with copies of its weights. Draws no random number and changes nothing here."""
        with torch.device("meta"):  # initial weights would be thrown away
            network: Any = self._build(**self._arguments_of(architecture))
        route = self.routes[self._number_of(architecture)]
        network.to_empty(device=next(self.parameters()).device)
        for own, shared in zip(pieces(network, network.stack, network), self.pieces_of(route), strict=True):
            _copy(own, shared)
        for own, number in zip(network.stitches, route["stitches"], strict=True):
            stitch: Any = self.stitches[str(number)]
            own.load_state_dict({"weight": stitch.merged().reshape(own.weight.shape), "bias": stitch.bias})
        plain: nn.Module = network.train(self.training)
        return plain

    def start_from(self, weights: Sequence[Mapping[str, Tensor]], images: Tensor) -> None:
        """Takes the anchors' trained weights and fits the stitch layers on `images` (n, channels, height, width).

        A classifier for another number of classes is left as it is, with its random weights. `WrongUse` where tensors
        are missing, unknown or of another shape.
        """
        for anchor, tensors in zip(self.anchors, weights, strict=True):
            load_anchor(anchor, tensors)
        fit_stitches(self, images)


def _copy(own: nn.Module | Tensor | None, shared: Any) -> None:
    """Weights or a tensor, where there are any."""
    if isinstance(own, nn.Module):
        own.load_state_dict(shared.state_dict())
    elif own is not None:
        own.copy_(shared)


def load_anchor(anchor: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copies `tensors` into `anchor`; a classifier of another shape stays. `WrongUse` where the rest does not fit."""
    own = anchor.state_dict()
    missing, unknown = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or unknown:
        told = [f"lacks {', '.join(missing[:3])}"] if missing else []
        told += [f"has {', '.join(unknown[:3])} beside what is known"] if unknown else []
        raise WrongUse(f"the weights of an anchor are of another network: the file {'; it '.join(told)}")
    for name, value in own.items():
        if tensors[name].shape == value.shape:
            value.copy_(tensors[name])
        elif not name.startswith(_HEAD):
            raise WrongUse(
                f"the weights of an anchor are of another network: {name} has the shape {tuple(tensors[name].shape)}, "
                f"not {tuple(value.shape)}"
            )
