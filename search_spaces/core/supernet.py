"""What a weight-sharing network offers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from search_spaces.core.architecture import Architecture

if TYPE_CHECKING:
    import torch


class Supernet(Protocol):
    """A `torch.nn.Module` whose sub-networks share weights.

    In `train()` mode `forward` uses batch statistics and keeps none; shapes are those of the activated
    sub-network: float (N, channels, height, width) in, logits (N, classes) out.
    """

    def activate(self, architecture: Architecture) -> None:
        """From now on `forward` runs this sub-network."""

    def extract(self, architecture: Architecture) -> "torch.nn.Module":
        """A plain module with copies of the sub-network's weights.

        Its batch-norm statistics, where it has any, are not meaningful until recalibrated.
        """

    def forward(self, pictures: "torch.Tensor") -> "torch.Tensor":
        """Logits of the activated sub-network."""


class SplittingSupernet(Supernet, Protocol):
    """A supernet that also runs several sub-networks in one pass, each on its own part of the batch."""

    def activate_many(self, architectures: Sequence[Architecture]) -> None:
        """From now on, until the next `activate`, `forward` in `train()` mode runs all of these.

        The batch is cut into as many parts as there are architectures, in their order and evenly (as
        `torch.tensor_split` does); logits of each part, and what their gradients add to the shared weights, equal, to
        float tolerance, those of `activate` for that member with that part as its batch. All take pictures of one size.
        `WrongUse` where the supernet cannot join these.
        """
